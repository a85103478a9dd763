import { deflateSync } from 'node:zlib'
import fc from 'fast-check'
import { decode as fastPngDecode } from 'fast-png'
import { describe, expect, test } from 'vitest'
import { FormatError, InvalidArgumentError } from '../../src/core/errors'
import { encodePng } from '../../src/formats/png'
import { joinPng, pngChunk, pngChunks } from '../../src/formats/png-chunks'
import { insertPngText, readPngText } from '../../src/formats/png-text'

const plain = encodePng({ width: 1, height: 1, channels: 1, data: new Uint8ClampedArray(1) })
const latin1 = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0))
const bytes = (...parts: (string | Uint8Array)[]) =>
  Uint8Array.from(parts.flatMap((part) => [...(typeof part === 'string' ? new TextEncoder().encode(part) : part)]))

/** The plain file with one more chunk behind its header. */
function withChunk(type: string, data: Uint8Array): Uint8Array {
  const [header, ...rest] = [...pngChunks(plain)].map(({ start, end }) => plain.subarray(start, end))
  return joinPng([header, pngChunk(type, data), ...rest])
}

describe('PNG text', () => {
  test('what is inserted is read back, for any text', () => {
    const keyword = fc.stringMatching(/^[\x21-\x7e][\x20-\x7e\xa1-\xff]{0,77}$/)
    fc.assert(
      fc.property(fc.dictionary(keyword, fc.string({ unit: 'binary', maxLength: 300 })), (text) => {
        expect(readPngText(insertPngText(plain, text))).toEqual({ ...text })
      }),
    )
  })

  test('is tEXt where Latin-1 holds it and iTXt where it does not, before the pixels', () => {
    const file = insertPngText(plain, { parameters: 'a café\nSteps: 1', other: '赤い星' })
    expect([...pngChunks(file)].map(({ type }) => type)).toEqual(['IHDR', 'tEXt', 'iTXt', 'IDAT', 'IEND'])
    expect(fastPngDecode(file).text).toEqual({ parameters: 'a café\nSteps: 1' })
  })

  test('replaces text under the same keyword and keeps the rest', () => {
    const file = insertPngText(insertPngText(plain, { a: '1', b: '2' }), { b: 'ö→', c: '3' })
    expect(readPngText(file)).toEqual({ a: '1', b: 'ö→', c: '3' })
    expect([...pngChunks(file)].filter(({ type }) => /TXt|tEXt/.test(type))).toHaveLength(3)
  })

  test('reads bytes 0x80 to 0x9f as Latin-1, not as windows-1252', () => {
    expect(readPngText(withChunk('tEXt', bytes('k\0', latin1('\x80\x9f'))))).toEqual({ k: '\x80\x9f' })
  })

  test('reads compressed text', () => {
    expect(readPngText(withChunk('zTXt', bytes('k\0\0', deflateSync(latin1('é'.repeat(999))))))).toEqual({
      k: 'é'.repeat(999),
    })
    expect(readPngText(withChunk('iTXt', bytes('k\0\x01\0de\0Schlüssel\0', deflateSync('→'))))).toEqual({ k: '→' })
    expect(readPngText(withChunk('iTXt', bytes('k\0\0\0\0\0→')))).toEqual({ k: '→' })
  })

  test('a keyword named __proto__ is only a keyword', () => {
    const text = readPngText(withChunk('tEXt', bytes('__proto__\0x')))
    expect(Object.entries(text)).toEqual([['__proto__', 'x']])
  })

  const bomb = deflateSync(new Uint8Array(3 << 20))
  const bad: Record<string, [string, Uint8Array, string]> = {
    'a chunk without separator': ['tEXt', bytes('keyword'), 'separator'],
    'iTXt without language': ['iTXt', bytes('k\0\0\0'), 'separator'],
    'an unknown compression': ['zTXt', bytes('k\0\x01x'), 'unknown compression'],
    'an unknown compression in iTXt': ['iTXt', bytes('k\0\x01\x01\0\0x'), 'unknown compression'],
    'damaged compressed text': ['zTXt', bytes('k\0\0', new Uint8Array(9)), 'damaged'],
    'a decompression bomb': ['zTXt', bytes('k\0\0', bomb), 'longer than 1048576 bytes'],
  }
  test.each(Object.keys(bad))('refuses %s', (name) => {
    const [type, data, message] = bad[name]
    expect(() => readPngText(withChunk(type, data))).toThrow(FormatError)
    expect(() => readPngText(withChunk(type, data))).toThrow(message)
  })

  test('many small bombs are as little as one big one', () => {
    const small = pngChunk('zTXt', bytes('k\0\0', deflateSync(new Uint8Array(300_000))))
    const [header, ...rest] = [...pngChunks(plain)].map(({ start, end }) => plain.subarray(start, end))
    expect(readPngText(joinPng([header, small, small, small, ...rest])).k).toHaveLength(300_000)
    expect(() => readPngText(joinPng([header, small, small, small, small, ...rest]))).toThrow('longer than')
  })

  test.each(['', 'x'.repeat(80), 'Grüße→', 'a\nb'])('refuses the keyword %j', (keyword) => {
    expect(() => insertPngText(plain, { [keyword]: 'x' })).toThrow(InvalidArgumentError)
  })
})
