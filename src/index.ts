export { Tensor } from 'onnxruntime-common'
export * from './core/errors'
export type { FileSource, Repository } from './core/file'
export { bytesSource } from './core/file'
export { Generator, type GeneratorOptions } from './core/generator'
export type { ProgressEvent, ProgressListener } from './core/progress'
export {
  type RawTensor,
  type SafetensorsDtype,
  SafetensorsFile,
  type TensorInfo,
  writeSafetensors,
} from './formats/safetensors'
