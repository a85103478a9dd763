import type { Tensor } from 'onnxruntime-common'
import { InvalidArgumentError } from './errors'
import { float32Data, float32Tensor, sizeOf } from './tensor'

/** How values between those of a tensor are found; all but `nearest`, `nearest-exact` and `area` fix its rank. */
const INTERPOLATION_RANKS = {
  nearest: undefined,
  'nearest-exact': undefined,
  linear: 3,
  bilinear: 4,
  bicubic: 4,
  trilinear: 5,
  area: undefined,
} as const

/** A way of interpolating. */
export type InterpolationMode = keyof typeof INTERPOLATION_RANKS

/** One value of the result as a sum of values along an axis. */
type Taps = readonly (readonly [index: number, weight: number])[]

const { floor, ceil, fround, max, min } = Math

/**
 * A tensor with other spatial dimensions; corresponds to `torch.nn.functional.interpolate` with `align_corners` false.
 *
 * @param tensor - `[batch, channels, …spatial]`, float32.
 * @param size - The new spatial dimensions, integers of 1 or more.
 * @throws InvalidArgumentError if the mode is for another rank, or `size` has another length or a wrong value.
 */
export function interpolate(tensor: Tensor, size: readonly number[], mode: InterpolationMode): Tensor {
  const rank = INTERPOLATION_RANKS[mode] ?? tensor.dims.length
  if (tensor.dims.length !== rank || size.length !== rank - 2) {
    throw new InvalidArgumentError(
      'interpolate',
      `wrong rank: got [${tensor.dims.join(', ')}] and size [${size.join(', ')}], expected ${rank} dimensions for ` +
        `${mode}, ${rank - 2} of them in size`,
    )
  }
  if (size.some((length) => !Number.isInteger(length) || length < 1)) {
    throw new InvalidArgumentError(
      'interpolate',
      `not a size: got [${size.join(', ')}], expected integers of 1 or more`,
    )
  }
  return size.reduce((result, length, i) => resizeAxis(result, i + 2, length, mode), tensor)
}

function resizeAxis(tensor: Tensor, axis: number, length: number, mode: InterpolationMode): Tensor {
  const from = tensor.dims[axis]
  if (from === length) return tensor
  const source = float32Data(tensor, 'the tensor to interpolate')
  const dims = tensor.dims.with(axis, length)
  const result = float32Tensor(dims)
  const target = float32Data(result, 'the result')
  const inner = sizeOf(dims.slice(axis + 1))
  const outer = sizeOf(dims.slice(0, axis))
  for (let i = 0; i < length; i++) {
    const taps = tapsOf(i, from, length, mode)
    for (let o = 0; o < outer; o++) {
      for (let n = 0; n < inner; n++) {
        let sum = 0
        for (const [index, weight] of taps) sum += weight * source[(o * from + index) * inner + n]
        target[(o * length + i) * inner + n] = sum
      }
    }
  }
  return result
}

/** What the `i`-th of `to` values is made of along an axis of `from` values. */
function tapsOf(i: number, from: number, to: number, mode: InterpolationMode): Taps {
  const last = from - 1
  // PyTorch computes positions in float32, which decides about the neighbour where they should be whole.
  const scale = fround(from / to)
  const centre = fround(fround(scale * (i + 0.5)) - 0.5)
  switch (mode) {
    case 'nearest':
      return [[min(floor(fround(i * scale)), last), 1]]
    case 'nearest-exact':
      return [[min(floor(fround((i + 0.5) * scale)), last), 1]]
    case 'area': {
      const start = floor((i * from) / to)
      const count = ceil(((i + 1) * from) / to) - start
      return Array.from({ length: count }, (_, k) => [start + k, 1 / count])
    }
    case 'bicubic': {
      const low = floor(centre)
      return cubicWeights(centre - low).map((weight, k) => [min(max(low - 1 + k, 0), last), weight])
    }
    default: {
      const position = max(centre, 0)
      const low = min(floor(position), last)
      const share = position - low
      return [
        [low, 1 - share],
        [min(low + 1, last), share],
      ]
    }
  }
}

/** The weights of four neighbours, `t` after the second: cubic convolution with a = −3/4. */
function cubicWeights(t: number): number[] {
  const a = -0.75
  const near = (x: number) => ((a + 2) * x - (a + 3)) * x * x + 1
  const far = (x: number) => ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
  return [far(t + 1), near(t), near(1 - t), far(2 - t)]
}
