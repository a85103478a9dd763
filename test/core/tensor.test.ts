import { Tensor } from 'onnxruntime-common'
import { describe, expect, it } from 'vitest'
import { InvalidArgumentError } from '../../src/core/errors'
import {
  concatBatch,
  expectDims,
  float32Data,
  float32Tensor,
  linearCombination,
  repeatBatch,
  sizeOf,
  sliceBatch,
} from '../../src/core/tensor'

function tensorOf(dims: readonly number[], ...values: number[]): Tensor {
  return float32Tensor(dims, Float32Array.from(values))
}

describe('shapes', () => {
  it('counts elements', () => {
    expect([sizeOf([]), sizeOf([3]), sizeOf([2, 3, 4]), sizeOf([2, 0])]).toEqual([1, 3, 24, 0])
  })

  it('makes zeros, or wraps the data as it is', () => {
    expect(float32Tensor([2, 2]).data).toEqual(new Float32Array(4))
    const data = new Float32Array(4)
    expect(float32Tensor([2, 2], data).data).toBe(data)
  })

  it('takes float32 data alone', () => {
    const tensor = tensorOf([2], 1, 2)
    expect(float32Data(tensor, 'the sample')).toBe(tensor.data)
    const ids = new Tensor('int32', new Int32Array(2), [2])
    expect(() => float32Data(ids, 'the sample')).toThrow(InvalidArgumentError)
    expect(() => float32Data(ids, 'the sample')).toThrow(
      '[latentkit] [tensor] the sample has the wrong type: got int32, expected float32',
    )
  })

  it.each([[[2, 2]], [[4]], [[1, 4, 1]], [[]]])('refuses dimensions other than those expected: %j', (expected) => {
    const tensor = float32Tensor([1, 4])
    expect(() => expectDims(tensor, [1, 4], 'the noise')).not.toThrow()
    expect(() => expectDims(tensor, expected, 'the noise')).toThrow(
      `the noise has the wrong shape: got [1, 4], expected [${expected.join(', ')}]`,
    )
  })
})

describe('linearCombination', () => {
  const a = tensorOf([2, 2], 1, 2, 3, 4)
  const b = tensorOf([2, 2], 10, 20, 30, 40)
  const c = tensorOf([2, 2], 100, 200, 300, 400)

  it.each([
    [[2], [a], [2, 4, 6, 8]],
    [
      [2, -1],
      [a, b],
      [-8, -16, -24, -32],
    ],
    [
      [2, 1, 0.5],
      [a, b, c],
      [62, 124, 186, 248],
    ],
    [
      [0, 0, 3],
      [a, b, c],
      [300, 600, 900, 1200],
    ],
    [[0], [a], [0, 0, 0, 0]],
  ])('sums with coefficients %j', (coefficients, terms, expected) => {
    const sum = linearCombination(coefficients, terms)
    expect(sum.dims).toEqual([2, 2])
    expect([...(sum.data as Float32Array)]).toEqual(expected)
  })

  it('leaves out what has the coefficient 0, infinities too', () => {
    const infinite = tensorOf([2, 2], Number.POSITIVE_INFINITY, Number.NaN, 1, 1)
    expect(linearCombination([1, 0, 1], [a, infinite, b]).data).toEqual(linearCombination([1, 1], [a, b]).data)
  })

  it('accumulates in float64 and rounds once', () => {
    // In float32, 2^25 + 1 is 2^25 already: the sum would lose both ones.
    const big = tensorOf([1], 2 ** 25)
    const one = tensorOf([1], 1)
    expect(linearCombination([1, 1, 1, -1], [big, one, one, big]).data[0]).toBe(2)
    expect(linearCombination([1 + 2 ** -30, -1], [one, one]).data[0]).toBe(2 ** -30)
  })

  it('writes to a given array, which may be one of the terms', () => {
    const into = tensorOf([2, 2], 1, 1, 1, 1)
    const sum = linearCombination([1, 2], [a, into], into.data as Float32Array<ArrayBuffer>)
    expect(sum.data).toBe(into.data)
    expect([...(sum.data as Float32Array)]).toEqual([3, 4, 5, 6])
  })

  it('refuses terms of different shapes', () => {
    expect(() => linearCombination([1, 1], [a, tensorOf([4], 1, 2, 3, 4)])).toThrow(/got \[4\], expected \[2, 2\]/)
  })
})

describe('batches', () => {
  const pair = tensorOf([2, 3], 1, 2, 3, 4, 5, 6)

  it('joins along the first dimension', () => {
    const joined = concatBatch([pair, tensorOf([1, 3], 7, 8, 9)])
    expect(joined.dims).toEqual([3, 3])
    expect([...(joined.data as Float32Array)]).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9])
    expect(concatBatch([pair])).toBe(pair)
  })

  it('refuses to join items of different shapes', () => {
    expect(() => concatBatch([pair, tensorOf([2, 2], 1, 2, 3, 4)])).toThrow(/got \[2, 2\], expected \[2, 3\]/)
  })

  it('slices without a copy', () => {
    const second = sliceBatch(pair, 1, 2)
    expect(second.dims).toEqual([1, 3])
    expect([...(second.data as Float32Array)]).toEqual([4, 5, 6])
    expect((second.data as Float32Array).buffer).toBe((pair.data as Float32Array).buffer)
  })

  it('repeats every item in a row', () => {
    const repeated = repeatBatch(pair, 2)
    expect(repeated.dims).toEqual([4, 3])
    expect([...(repeated.data as Float32Array)]).toEqual([1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6])
    expect(repeatBatch(pair, 1)).toBe(pair)
  })
})
