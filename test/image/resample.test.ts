import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodePng } from '../../src/formats/png'
import { type Resample, resampleNames, resamplePixels } from '../../src/image/resample'

const folder = new URL('../fixtures/goldens/pil/', import.meta.url)
interface Case {
  readonly source: string
  readonly width: number
  readonly height: number
  readonly resample: Resample
  readonly expected: string
}
const { cases } = JSON.parse(readFileSync(new URL('cases.json', folder), 'utf8')) as { cases: Case[] }
const read = (name: string) => decodePng(readFileSync(new URL(name, folder)))

describe('resamplePixels', () => {
  // No tolerance: Pillow's filters are whole-number arithmetic, and so are these.
  test.each(cases)('$expected as Pillow 9.4', ({ source, width, height, resample, expected }) => {
    const golden = read(expected)
    const result = resamplePixels(read(source), width, height, resample)
    expect([result.width, result.height, result.channels]).toEqual([golden.width, golden.height, golden.channels])
    expect(Buffer.compare(Buffer.from(result.data), Buffer.from(golden.data))).toBe(0)
  })

  test('covers every filter and both modes', () => {
    expect(new Set(cases.map(({ resample }) => resample))).toEqual(new Set(resampleNames))
    expect(new Set(cases.map(({ source }) => read(source).channels))).toEqual(new Set([1, 3]))
  })

  const sides = fc.integer({ min: 1, max: 40 })

  test('an image of one colour keeps it, whatever the size and filter', () => {
    fc.assert(
      fc.property(sides, sides, sides, sides, fc.constantFrom(...resampleNames), (w, h, width, height, resample) => {
        const pixel = [0, 77, 255]
        const data = Uint8ClampedArray.from({ length: w * h * 3 }, (_, i) => pixel[i % 3])
        const result = resamplePixels({ width: w, height: h, channels: 3, data }, width, height, resample)
        expect(result.data).toEqual(Uint8ClampedArray.from({ length: width * height * 3 }, (_, i) => pixel[i % 3]))
      }),
    )
  })

  test('channels do not mix: an RGB image is three grayscale ones', () => {
    const image = read('picture.png')
    for (const resample of resampleNames) {
      const all = resamplePixels(image, 50, 91, resample)
      for (let c = 0; c < 3; c++) {
        const plane = { ...image, channels: 1 as const, data: image.data.filter((_, i) => i % 3 === c) }
        expect(resamplePixels(plane, 50, 91, resample).data).toEqual(all.data.filter((_, i) => i % 3 === c))
      }
    }
  })

  test('the same size is a copy', () => {
    const image = read('mask.png')
    const copy = resamplePixels(image, image.width, image.height, 'lanczos')
    expect(copy.data).toEqual(image.data)
    expect(copy.data).not.toBe(image.data)
  })

  test('the colour of transparent pixels does not bleed', () => {
    // Opaque red beside transparent green: by Pillow's rule the seam stays red.
    const data = Uint8ClampedArray.of(255, 0, 0, 255, 0, 255, 0, 0)
    const { data: wide } = resamplePixels({ width: 2, height: 1, channels: 4, data }, 4, 1, 'bilinear')
    expect([...wide]).toEqual([255, 0, 0, 255, 255, 0, 0, 191, 255, 0, 0, 64, 0, 0, 0, 0])
    const gray = resamplePixels(
      { width: 2, height: 1, channels: 2, data: Uint8ClampedArray.of(200, 255, 9, 0) },
      1,
      1,
      'bilinear',
    )
    expect([...gray.data]).toEqual([199, 128])
    // Nearest moves whole pixels.
    expect([...resamplePixels({ width: 2, height: 1, channels: 4, data }, 4, 1, 'nearest').data.slice(8)]).toEqual([
      0, 255, 0, 0, 0, 255, 0, 0,
    ])
  })
})
