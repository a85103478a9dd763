import { deflateSync } from 'node:zlib'
import fc from 'fast-check'
import { decode as fastPngDecode } from 'fast-png'
import sharp from 'sharp'
import { describe, expect, test } from 'vitest'
import { FormatError } from '../../src/core/errors'
import { decodePng, encodePng } from '../../src/formats/png'
import { isPng, joinPng, pngChunk } from '../../src/formats/png-chunks'
import { buildPng, headerChunk, kinds, numbers } from './png-files'

const rgb8 = { colorType: 2, depth: 8, samples: 3 }
const end = pngChunk('IEND', new Uint8Array(0))

describe('decodePng', () => {
  const sizes = [
    [1, 1],
    [3, 2],
    [9, 17],
  ]
  test.each(kinds.flatMap((kind) => [false, true].map((interlaced) => ({ ...kind, interlaced }))))(
    'colour type $colorType, $depth bits, interlaced: $interlaced',
    async ({ interlaced, ...kind }) => {
      for (const [width, height] of sizes) {
        const next = numbers(width * 100 + height)
        const palette = Uint8Array.from({ length: 3 * 2 ** Math.min(kind.depth, 8) }, () => next() & 255)
        const samples = Array.from({ length: width * height * kind.samples }, () => next() % 2 ** kind.depth)
        const extra = kind.colorType === 3 ? [pngChunk('PLTE', palette)] : []
        const image = decodePng(buildPng(width, height, kind, interlaced, samples, extra))
        const expected =
          kind.colorType === 3
            ? samples.flatMap((index) => [...palette.subarray(index * 3, index * 3 + 3)])
            : samples.map((value) => (kind.depth === 16 ? value >> 8 : (value * 255) / (2 ** kind.depth - 1)))
        expect([image.width, image.height]).toEqual([width, height])
        expect(image.channels).toBe(kind.colorType === 3 ? 3 : kind.samples)
        expect([...image.data]).toEqual(expected)
      }
    },
  )

  test('reads what libpng writes, with its filters, as libpng reads it', async () => {
    const next = numbers(7)
    // A gradient with a little noise: libpng then uses all of its filters.
    const data = Uint8Array.from({ length: 61 * 43 * 4 }, (_, i) => ((i >> 3) + (next() & 7)) & 255)
    const raw = { raw: { width: 61, height: 43, channels: 4 as const } }
    for (const progressive of [false, true]) {
      const file = await sharp(data, raw).png({ progressive, adaptiveFiltering: true }).toBuffer()
      expect([...decodePng(file).data]).toEqual([...data])
    }
    const palette = await sharp(data, raw).png({ palette: true, colours: 13 }).toBuffer()
    const expected = await sharp(palette).ensureAlpha().raw().toBuffer()
    expect([...decodePng(palette).data]).toEqual([...expected])
  })

  test('a transparent colour and a palette with transparency become alpha', () => {
    const gray = buildPng(
      2,
      1,
      { colorType: 0, depth: 16, samples: 1 },
      false,
      [0x1234, 0x1235],
      [pngChunk('tRNS', Uint8Array.of(0x12, 0x34))],
    )
    expect(decodePng(gray)).toMatchObject({ channels: 2, data: Uint8ClampedArray.of(0x12, 0, 0x12, 255) })
    const color = buildPng(2, 1, rgb8, false, [1, 2, 3, 1, 2, 4], [pngChunk('tRNS', Uint8Array.of(0, 1, 0, 2, 0, 3))])
    expect(decodePng(color)).toMatchObject({ channels: 4, data: Uint8ClampedArray.of(1, 2, 3, 0, 1, 2, 4, 255) })
    const palette = buildPng(
      2,
      1,
      { colorType: 3, depth: 1, samples: 1 },
      false,
      [0, 1],
      [pngChunk('PLTE', Uint8Array.of(9, 8, 7, 6, 5, 4)), pngChunk('tRNS', Uint8Array.of(99))],
    )
    expect(decodePng(palette)).toMatchObject({ channels: 4, data: Uint8ClampedArray.of(9, 8, 7, 99, 6, 5, 4, 255) })
  })

  test('ignores ancillary chunks, what follows IEND and pixel data beyond the image', () => {
    const pixels = deflateSync(Uint8Array.of(0, 1, 2, 3, 0, 0, 0, 0))
    const file = joinPng([
      headerChunk(1, 1, rgb8, 0),
      pngChunk('abCd', Uint8Array.of(1)),
      pngChunk('IDAT', pixels),
      end,
      Uint8Array.of(1, 2, 3),
    ])
    expect([...decodePng(file).data]).toEqual([1, 2, 3])
  })

  const image = { width: 4, height: 3, channels: 3 as const, data: new Uint8ClampedArray(36) }
  const file = encodePng(image)
  const pixels = pngChunk('IDAT', deflateSync(new Uint8Array(100)))
  const bad: Record<string, [Uint8Array, string]> = {
    'no PNG': [Uint8Array.of(1, 2, 3), 'signature'],
    'an empty file': [new Uint8Array(0), 'signature'],
    'the signature alone': [file.subarray(0, 8), 'cut off'],
    'a file cut off in a chunk': [file.subarray(0, 45), 'cut off in chunk IDAT'],
    'a file without IEND': [file.subarray(0, -12), 'no IEND'],
    'a changed byte': [file.map((byte, i) => (i === 20 ? byte ^ 1 : byte)), 'CRC'],
    'a chunk before IHDR': [joinPng([end]), 'expected IHDR'],
    'no pixels': [joinPng([headerChunk(4, 3, rgb8, 0), end]), 'too little pixel data'],
    'too few pixels': [joinPng([headerChunk(40, 30, rgb8, 0), pixels, end]), 'got 100 bytes, expected 3630'],
    'width 0': [joinPng([headerChunk(0, 3, rgb8, 0), pixels, end]), 'got 0x3'],
    'too many pixels': [joinPng([headerChunk(20000, 20000, rgb8, 0), pixels, end]), 'got 20000x20000'],
    'more pixels than the data can hold': [joinPng([headerChunk(10000, 10000, rgb8, 0), pixels, end]), 'too little'],
    'impossible bits': [joinPng([headerChunk(4, 3, { ...rgb8, depth: 4 }, 0), pixels, end]), 'with 4 bits'],
    'unknown interlacing': [joinPng([headerChunk(4, 3, rgb8, 2), pixels, end]), 'interlace 2'],
    'an unknown filter': [
      joinPng([headerChunk(1, 1, rgb8, 0), pngChunk('IDAT', deflateSync(Uint8Array.of(5, 0, 0, 0))), end]),
      'unknown filter',
    ],
    'no zlib data': [joinPng([headerChunk(4, 3, rgb8, 0), pngChunk('IDAT', new Uint8Array(50)), end]), 'damaged'],
    'an unknown critical chunk': [joinPng([headerChunk(4, 3, rgb8, 0), pngChunk('ABCD', pixels), end]), 'ABCD'],
    'no palette': [joinPng([headerChunk(4, 3, { colorType: 3, depth: 8, samples: 1 }, 0), pixels, end]), 'palette'],
    'an index beyond the palette': [
      buildPng(1, 1, { colorType: 3, depth: 2, samples: 1 }, false, [3], [pngChunk('PLTE', new Uint8Array(9))]),
      'not in the palette',
    ],
  }
  test.each(Object.keys(bad))('refuses %s', (name) => {
    const [bytes, message] = bad[name]
    expect(() => decodePng(bytes)).toThrow(FormatError)
    expect(() => decodePng(bytes)).toThrow(message)
  })
})

describe('encodePng', () => {
  test('gives a file that this and other decoders read back, for any image', async () => {
    const images = fc
      .record({
        width: fc.integer({ min: 1, max: 20 }),
        height: fc.integer({ min: 1, max: 20 }),
        channels: fc.integer({ min: 1, max: 4 }),
        seed: fc.integer(),
      })
      .map(({ seed, ...size }) => {
        const next = numbers(seed)
        return {
          ...size,
          data: Uint8ClampedArray.from({ length: size.width * size.height * size.channels }, () => next() & 255),
        }
      })
    fc.assert(
      fc.property(images, (image) => {
        const file = encodePng({ ...image, channels: image.channels as 1 | 2 | 3 | 4 })
        expect(isPng(file)).toBe(true)
        expect(decodePng(file)).toEqual({ ...image, text: {} })
        const other = fastPngDecode(file, { checkCrc: true })
        expect([...other.data]).toEqual([...image.data])
      }),
      { numRuns: 60 },
    )
    const [image] = fc.sample(images, { numRuns: 1, seed: 3 })
    const libpng = await sharp(encodePng({ ...image, channels: image.channels as 1 | 2 | 3 | 4 })).metadata()
    expect(libpng).toMatchObject({ width: image.width, height: image.height, channels: image.channels, depth: 'uchar' })
  })

  test('reads a view that does not begin at its buffer', () => {
    const data = new Uint8ClampedArray(new Uint8Array([9, 9, 1, 2, 3]).buffer, 2)
    expect([...decodePng(encodePng({ width: 1, height: 1, channels: 3, data })).data]).toEqual([1, 2, 3])
  })
})
