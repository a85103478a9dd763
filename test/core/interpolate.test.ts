import { describe, expect, it } from 'vitest'
import { interpolate } from '../../src/core/interpolate'
import { float32Tensor } from '../../src/core/tensor'

const tensor = (dims: number[], ...values: number[]) => float32Tensor(dims, Float32Array.from(values))
const square = tensor([1, 1, 2, 2], 1, 2, 3, 4)

describe('interpolate', () => {
  // The example of PyTorch's documentation of nn.Upsample.
  it('is bilinear as in PyTorch', () => {
    const { dims, data } = interpolate(square, [4, 4], 'bilinear')
    expect(dims).toEqual([1, 1, 4, 4])
    expect([...(data as Float32Array)]).toEqual([
      1, 1.25, 1.75, 2, 1.5, 1.75, 2.25, 2.5, 2.5, 2.75, 3.25, 3.5, 3, 3.25, 3.75, 4,
    ])
  })

  it('repeats the nearest value', () => {
    const { data } = interpolate(square, [4, 2], 'nearest')
    expect([...(data as Float32Array)]).toEqual([1, 2, 1, 2, 3, 4, 3, 4])
  })

  it('takes the nearest from the left edge of a pixel, or with nearest-exact from its middle', () => {
    const line = tensor([1, 1, 5], 0, 1, 2, 3, 4)
    expect([...(interpolate(line, [3], 'nearest').data as Float32Array)]).toEqual([0, 1, 3])
    expect([...(interpolate(line, [3], 'nearest-exact').data as Float32Array)]).toEqual([0, 2, 4])
  })

  it('weighs four neighbours with a = −3/4 when cubic, and repeats the border', () => {
    // Twice the length: the new values lie a quarter before and after the old ones, whose weights are these.
    const weights = [-0.03515625, 0.26171875, 0.87890625, -0.10546875]
    const values = [3, -1, 4, 1, -5, 9]
    const { data } = interpolate(tensor([1, 1, 1, 6], ...values), [1, 12], 'bicubic')
    const at = (index: number) => values[Math.min(Math.max(index, 0), 5)]
    for (let i = 0; i < 6; i++) {
      const before = weights.reduce((sum, weight, k) => sum + weight * at(i - 2 + k), 0)
      const after = weights.reduce((sum, weight, k) => sum + weight * at(i + 2 - k), 0)
      expect(data[2 * i]).toBeCloseTo(before, 5)
      expect(data[2 * i + 1]).toBeCloseTo(after, 5)
    }
  })

  it('takes the mean of an area, which may overlap the next', () => {
    const { data } = interpolate(tensor([1, 1, 5], 1, 2, 3, 4, 5), [2], 'area')
    expect([...(data as Float32Array)]).toEqual([2, 4])
  })

  it('goes through every axis of a volume', () => {
    const volume = tensor([1, 1, 2, 1, 2], 0, 2, 4, 6)
    const { dims, data } = interpolate(volume, [4, 1, 2], 'trilinear')
    expect(dims).toEqual([1, 1, 4, 1, 2])
    expect([...(data as Float32Array)]).toEqual([0, 2, 1, 3, 3, 5, 4, 6])
  })

  it('resizes each channel of each item by itself', () => {
    const batch = tensor([2, 2, 1], 1, 2, 3, 4)
    expect([...(interpolate(batch, [2], 'linear').data as Float32Array)]).toEqual([1, 1, 2, 2, 3, 3, 4, 4])
  })

  it('names a wrong rank or size', () => {
    expect(() => interpolate(square, [4], 'linear')).toThrow(
      'wrong rank: got [1, 1, 2, 2] and size [4], expected 3 dimensions',
    )
    expect(() => interpolate(square, [4], 'area')).toThrow('wrong rank')
    expect(() => interpolate(square, [0, 4], 'bilinear')).toThrow(
      'not a size: got [0, 4], expected integers of 1 or more',
    )
  })
})
