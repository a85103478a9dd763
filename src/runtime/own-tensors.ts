import { type InferenceSession, Tensor } from 'onnxruntime-common'

/**
 * The outputs as tensors of the package: ONNX Runtime's packages bring a class `Tensor` of their own, whose tensors are no
 * instances of ours. The memory is the same.
 */
export function ownTensors(outputs: InferenceSession.OnnxValueMapType): Record<string, Tensor> {
  const own = Object.entries(outputs).map(([name, { type, data, dims }]) => [name, new Tensor(type, data, dims)])
  return Object.fromEntries(own)
}
