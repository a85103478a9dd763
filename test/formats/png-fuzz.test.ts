import { deflateSync } from 'node:zlib'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { FormatError } from '../../src/core/errors'
import { decodePng, encodePng } from '../../src/formats/png'
import { joinPng, pngChunk, pngChunks } from '../../src/formats/png-chunks'
import { insertPngText, readPngText } from '../../src/formats/png-text'
import { buildPng, headerChunk, kinds, numbers } from './png-files'

const SIZE = { width: 11, height: 9 }

/** Valid files of every kind, and one with text. */
const files = [
  ...kinds.map((kind, i) => {
    const next = numbers(i)
    const samples = Array.from({ length: SIZE.width * SIZE.height * kind.samples }, () => next() % 2 ** kind.depth)
    const palette = pngChunk(
      'PLTE',
      Uint8Array.from({ length: 3 * 2 ** Math.min(8, kind.depth) }, (_, n) => n & 255),
    )
    return buildPng(SIZE.width, SIZE.height, kind, i % 2 === 0, samples, kind.colorType === 3 ? [palette] : [])
  }),
  insertPngText(encodePng({ ...SIZE, channels: 3, data: new Uint8ClampedArray(297) }), { parameters: 'a, b', x: '→' }),
]

/** Decodes; the only thing that may come out besides an image is a FormatError. */
function decodeOrFormatError(file: Uint8Array): void {
  for (const read of [decodePng, readPngText]) {
    try {
      read(file)
    } catch (error) {
      expect(error).toBeInstanceOf(FormatError)
    }
  }
}

const file = fc.constantFrom(...files)

test('random bytes', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), decodeOrFormatError))
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => decodeOrFormatError(joinPng([bytes]))))
})

test('files cut off anywhere', () => {
  for (const bytes of files) {
    for (let length = 0; length < bytes.length; length++) {
      expect(() => decodePng(bytes.subarray(0, length))).toThrow(FormatError)
    }
  }
})

test('changed bytes are noticed by the CRC', () => {
  fc.assert(
    fc.property(file, fc.nat(), fc.integer({ min: 1, max: 255 }), (bytes, at, change) => {
      const changed = Uint8Array.from(bytes)
      changed[at % changed.length] ^= change
      expect(() => decodePng(changed)).toThrow(FormatError)
    }),
    { numRuns: 500 },
  )
})

test('chunks with changed content and a right CRC', () => {
  const change = fc.record({
    chunk: fc.nat(),
    at: fc.nat(),
    value: fc.integer({ min: 0, max: 255 }),
    drop: fc.boolean(),
  })
  fc.assert(
    fc.property(file, fc.array(change, { minLength: 1, maxLength: 4 }), (bytes, changes) => {
      const chunks = [...pngChunks(bytes)].map(({ type, data }) => ({ type, data: Uint8Array.from(data) }))
      for (const { chunk, at, value, drop } of changes) {
        const target = chunks[chunk % chunks.length]
        if (drop) target.data = target.data.subarray(0, at % (target.data.length + 1))
        else if (target.data.length > 0) target.data[at % target.data.length] = value
      }
      decodeOrFormatError(joinPng(chunks.map(({ type, data }) => pngChunk(type, data))))
    }),
    { numRuns: 2000 },
  )
})

test('headers of any size take no more memory than their data can fill', () => {
  const allocated: number[] = []
  const { Uint8Array: RealUint8Array, Uint16Array: RealUint16Array } = globalThis
  const watch = <T extends object>(type: T) =>
    new Proxy(type, {
      construct(target, args, newTarget) {
        if (typeof args[0] === 'number') allocated.push(args[0])
        return Reflect.construct(target as never, args, newTarget)
      },
    })
  const data = pngChunk('IDAT', new RealUint8Array(100))
  const end = pngChunk('IEND', new RealUint8Array(0))
  globalThis.Uint8Array = watch(RealUint8Array)
  globalThis.Uint16Array = watch(RealUint16Array)
  try {
    fc.assert(
      fc.property(
        fc.constantFrom(...kinds),
        fc.nat(2 ** 31),
        fc.nat(2 ** 31),
        fc.nat(1),
        (kind, width, height, lace) => {
          decodeOrFormatError(joinPng([headerChunk(width, height, kind, lace), data, end]))
        },
      ),
    )
  } finally {
    globalThis.Uint8Array = RealUint8Array
    globalThis.Uint16Array = RealUint16Array
  }
  // 100 bytes of zlib data are at most 103,200; the decompressor's own buffers are 128 KiB.
  expect(Math.max(...allocated)).toBeLessThanOrEqual(2 ** 17)
})

test('a decompression bomb in the pixels stops when the image is full', () => {
  const zeros = 1 << 26
  const bomb = pngChunk('IDAT', deflateSync(new Uint8Array(zeros)))
  const file = joinPng([headerChunk(1, 1, kinds[3], 0), bomb, pngChunk('IEND', new Uint8Array(0))])
  const before = process.memoryUsage().arrayBuffers
  expect([...decodePng(file).data]).toEqual([0])
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(zeros / 2)
})
