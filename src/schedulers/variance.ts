import type { Tensor } from 'onnxruntime-common'
import { float32Data, float32Tensor } from '../core/tensor'
import { oneOf, optional } from './config'

/** The option for networks whose output holds the variance after the mean, along the channels. */
export const varianceOptions = {
  // DDPM's other variances come from the schedule, of which the network's output says nothing.
  varianceType: optional(oneOf(['learned', 'learned_range']), null, {
    fixed_small: null,
    fixed_small_log: null,
    fixed_large: null,
    fixed_large_log: null,
  }),
}

/** The shape of the output of a network that predicts the variance too: twice the channels. */
export function outputDims([batch, channels, ...size]: readonly number[], learned: boolean): readonly number[] {
  return [batch, learned ? 2 * channels : channels, ...size]
}

/** The two halves of an output `[batch, 2·channels, …]`: what was predicted, and its variance. */
export function splitVariance(modelOutput: Tensor): { mean: Tensor; variance: Tensor } {
  const [batch, channels, ...size] = modelOutput.dims
  const dims = [batch, channels / 2, ...size]
  const data = float32Data(modelOutput, 'the model output')
  const stride = data.length / batch / 2
  const half = (which: number): Tensor => {
    const result = new Float32Array(data.length / 2)
    for (let i = 0; i < batch; i++) {
      const start = (2 * i + which) * stride
      result.set(data.subarray(start, start + stride), i * stride)
    }
    return float32Tensor(dims, result)
  }
  return { mean: half(0), variance: half(1) }
}
