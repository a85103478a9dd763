import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bfloat16ToNumber, float16ToNumber, numberToFloat16 } from '../../src/core/half'

describe('float16', () => {
  it.each([
    // The values that the Wikipedia article on IEEE 754 binary16 lists.
    [0x0000, 0],
    [0x0001, 2 ** -24],
    [0x03ff, 2 ** -14 * (1023 / 1024)],
    [0x0400, 2 ** -14],
    [0x3555, 0.333251953125],
    [0x3bff, 1 - 2 ** -11],
    [0x3c00, 1],
    [0x3c01, 1 + 2 ** -10],
    [0x7bff, 65504],
    [0x7c00, Number.POSITIVE_INFINITY],
    [0x8000, -0],
    [0xc000, -2],
    [0xfc00, Number.NEGATIVE_INFINITY],
  ])('reads and writes %i = %d', (bits, value) => {
    expect(float16ToNumber(bits)).toBe(value)
    expect(numberToFloat16(value)).toBe(bits)
  })

  it('brings all 65,536 values round', () => {
    const broken = []
    for (let bits = 0; bits < 0x10000; bits++) {
      const value = float16ToNumber(bits)
      const notANumber = (bits & 0x7fff) > 0x7c00
      const back = numberToFloat16(value)
      if (notANumber ? !Number.isNaN(value) || (back & 0x7fff) <= 0x7c00 : back !== bits) broken.push(bits)
    }
    expect(broken).toEqual([])
  })

  it('grows with its bits', () => {
    for (let bits = 1; bits <= 0x7c00; bits++) {
      if (!(float16ToNumber(bits) > float16ToNumber(bits - 1))) throw new Error(`${bits} is not above ${bits - 1}`)
    }
  })

  it('rounds the middle between two neighbours to the even one, and anything beside it to the nearer', () => {
    const broken = []
    for (let bits = 0; bits < 0x7bff; bits++) {
      const middle = (float16ToNumber(bits) + float16ToNumber(bits + 1)) / 2
      const even = bits & 1 ? bits + 1 : bits
      // Nearer than float32 can tell: rounding to float32 first would get these wrong.
      const nudge = 1 + 2 ** -50
      const got = [middle, -middle, middle * nudge, middle / nudge].map(numberToFloat16)
      const expected = [even, even | 0x8000, bits + 1, bits]
      if (got.some((each, i) => each !== expected[i])) broken.push(bits)
    }
    expect(broken).toEqual([])
  })

  it('turns what is too large into infinity and what is too small into zero', () => {
    expect(numberToFloat16(65519.999)).toBe(0x7bff)
    expect(numberToFloat16(65520)).toBe(0x7c00)
    expect(numberToFloat16(-1e300)).toBe(0xfc00)
    expect(numberToFloat16(2 ** -25)).toBe(0)
    expect(numberToFloat16(-1e-300)).toBe(0x8000)
    expect(numberToFloat16(2 ** -25 * (1 + 2 ** -50))).toBe(1)
  })

  it('finds the nearest value to any number', () => {
    fc.assert(
      fc.property(fc.double({ min: -65504, max: 65504, noNaN: true }), (value) => {
        const bits = numberToFloat16(value)
        const distance = Math.abs(float16ToNumber(bits) - value)
        for (const neighbour of [bits - 1, bits + 1]) {
          const other = float16ToNumber(neighbour & 0xffff)
          if (Number.isFinite(other)) expect(distance).toBeLessThanOrEqual(Math.abs(other - value))
        }
      }),
    )
  })
})

describe('bfloat16', () => {
  it('is the upper half of a float32', () => {
    const view = new DataView(new ArrayBuffer(4))
    const broken = []
    for (let bits = 0; bits < 0x10000; bits++) {
      view.setUint16(0, bits)
      if (!Object.is(bfloat16ToNumber(bits), view.getFloat32(0))) broken.push(bits)
    }
    expect(broken).toEqual([])
    expect(bfloat16ToNumber(0x3f80)).toBe(1)
    expect(bfloat16ToNumber(0xc049)).toBe(-3.140625)
  })
})
