import type { Tensor } from 'onnxruntime-common'
import { float32Data, float32Tensor } from '../core/tensor'
import { flag, real } from './config'

/** The options of dynamic thresholding. */
export const thresholdingOptions = {
  thresholding: flag(false),
  dynamicThresholdingRatio: real(0.995, 0, 1),
  sampleMaxValue: real(1, 0),
}

/** The options of plain clipping; `clipSample` is on by default in pixel-space models. */
export const clippingOptions = { clipSample: flag(true), clipSampleRange: real(1, 0) }

interface ClippingConfig {
  readonly thresholding?: boolean
  readonly dynamicThresholdingRatio?: number
  readonly sampleMaxValue?: number
  readonly clipSample?: boolean
  readonly clipSampleRange?: number
}

/** A predicted sample within the range that a config asks for: thresholded, clipped or as it was. */
export function restrain(sample: Tensor, config: ClippingConfig): Tensor {
  const { thresholding, dynamicThresholdingRatio = 0.995, sampleMaxValue = 1, clipSample, clipSampleRange = 1 } = config
  if (thresholding) return dynamicThreshold(sample, dynamicThresholdingRatio, sampleMaxValue)
  return clipSample ? clip(sample, clipSampleRange) : sample
}

/** Every value within ±`range`. */
export function clip(sample: Tensor, range: number): Tensor {
  const limit = Math.fround(range)
  const result = float32Data(sample, 'the sample').slice()
  for (let i = 0; i < result.length; i++) result[i] = Math.min(Math.max(result[i], -limit), limit)
  return float32Tensor(sample.dims, result)
}

/**
 * Clips every item of the batch to the given quantile s of its absolute values, at least 1 and at most `maxValue`, and
 * divides by s: dynamic thresholding, section 2.3 of https://arxiv.org/abs/2205.11487.
 */
function dynamicThreshold(sample: Tensor, ratio: number, maxValue: number): Tensor {
  const data = float32Data(sample, 'the sample')
  const result = new Float32Array(data.length)
  const size = data.length / sample.dims[0]
  for (let start = 0; start < data.length; start += size) {
    const item = data.subarray(start, start + size)
    const s = Math.fround(Math.min(Math.max(quantile(item.map(Math.abs), ratio), 1), maxValue))
    for (let i = 0; i < size; i++) result[start + i] = Math.min(Math.max(item[i], -s), s) / s
  }
  return float32Tensor(sample.dims, result)
}

/** `torch.quantile`: between the two neighbouring values, linearly. Reorders `values`. */
function quantile(values: Float32Array, ratio: number): number {
  const rank = Math.fround(Math.fround(ratio) * (values.length - 1))
  const below = Math.floor(rank)
  const low = select(values, below)
  if (below === rank) return low
  let high = Infinity
  for (let i = below + 1; i < values.length; i++) high = Math.min(high, values[i])
  return Math.fround(low + (rank - below) * (high - low))
}

/** The value that would stand at `index` in order; smaller ones end up before it (Hoare's quickselect). */
function select(values: Float32Array, index: number): number {
  let left = 0
  let right = values.length - 1
  while (left < right) {
    const pivot = values[(left + right) >> 1]
    let i = left
    let j = right
    while (i <= j) {
      while (values[i] < pivot) i++
      while (values[j] > pivot) j--
      if (i > j) break
      const swapped = values[i]
      values[i++] = values[j]
      values[j--] = swapped
    }
    if (index <= j) right = j
    else if (index >= i) left = i
    else break
  }
  return values[index]
}
