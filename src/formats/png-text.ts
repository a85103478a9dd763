import { FormatError, InvalidArgumentError } from '../core/errors'
import { inflatedLimit, inflateInto } from './inflate'
import { joinPng, type PngChunk, pngChunk, pngChunks } from './png-chunks'

/** The most text that compressed chunks of one file may hold, in bytes: what Pillow allows one chunk. */
const COMPRESSED_TEXT_LIMIT = 2 ** 20

/**
 * The text of a PNG file by keyword: its `tEXt`, `zTXt` and `iTXt` chunks. A keyword that comes twice has its last value.
 *
 * @throws FormatError when the file is cut off or damaged, or compressed text is longer than 1 MiB in all.
 */
export function readPngText(file: Uint8Array): Record<string, string> {
  return textOf(pngChunks(file))
}

/** {@link readPngText} on chunks that were read already. */
export function textOf(chunks: Iterable<PngChunk>): Record<string, string> {
  const text = new Map<string, string>()
  let room = COMPRESSED_TEXT_LIMIT
  const inflate = (data: Uint8Array) => {
    const out = new Uint8Array(Math.min(room + 1, inflatedLimit(data.length)))
    const length = inflateInto([data], out, 'png')
    if (length > room) throw new FormatError('png', `the compressed text is longer than ${COMPRESSED_TEXT_LIMIT} bytes`)
    room -= length
    return out.subarray(0, length)
  }
  for (const { type, data } of chunks) {
    if (type === 'tEXt') {
      const [keyword, value] = cut(data, type, 1)
      text.set(latin1(keyword), latin1(value))
    } else if (type === 'zTXt') {
      const [keyword, value] = cut(data, type, 1)
      if (value[0] !== 0) throw new FormatError('png', `zTXt has an unknown compression: got ${value[0]}, expected 0`)
      text.set(latin1(keyword), latin1(inflate(value.subarray(1))))
    } else if (type === 'iTXt') {
      const [keyword, rest] = cut(data, type, 1)
      const compressed = rest[0] === 1
      if (compressed && rest[1] !== 0) {
        throw new FormatError('png', `iTXt has an unknown compression: got ${rest[1]}, expected 0`)
      }
      // The language and the translated keyword, which nothing here uses.
      const [, , value] = cut(rest.subarray(2), type, 2)
      text.set(
        latin1(keyword),
        new TextDecoder('utf-8', { ignoreBOM: true }).decode(compressed ? inflate(value) : value),
      )
    }
  }
  return Object.fromEntries(text)
}

/**
 * The PNG file with these texts in it, before the pixels; texts that the file has under the same keywords go. As other
 * tools do, text that Latin-1 can hold becomes a `tEXt` chunk and all else an `iTXt` chunk.
 *
 * @throws FormatError when the file is cut off or damaged.
 * @throws InvalidArgumentError when a keyword is not 1 to 79 printable Latin-1 characters.
 */
export function insertPngText(file: Uint8Array, text: Readonly<Record<string, string>>): Uint8Array {
  const replaced = (chunk: PngChunk) =>
    /^(tEXt|zTXt|iTXt)$/.test(chunk.type) && Object.hasOwn(text, latin1(cut(chunk.data, chunk.type, 1)[0]))
  const [header, ...rest] = [...pngChunks(file)]
    .filter((chunk) => !replaced(chunk))
    .map((chunk) => file.subarray(chunk.start, chunk.end))
  return joinPng([header, ...Object.entries(text).map(([keyword, value]) => textChunk(keyword, value)), ...rest])
}

function textChunk(keyword: string, value: string): Uint8Array {
  if (!/^[\x20-\x7e\xa1-\xff]{1,79}$/.test(keyword)) {
    throw new InvalidArgumentError(
      'png',
      `a text keyword is not possible: got ${JSON.stringify(keyword)}, expected 1 to 79 printable Latin-1 characters`,
    )
  }
  const isLatin1 = /^[\0-\xff]*$/.test(value)
  const key = Uint8Array.from(keyword, (character) => character.charCodeAt(0))
  const content = isLatin1
    ? Uint8Array.from(value, (character) => character.charCodeAt(0))
    : new TextEncoder().encode(value)
  // iTXt has four more empty fields: compression flag and method, language, translated keyword.
  const gap = isLatin1 ? 1 : 5
  const data = new Uint8Array(key.length + gap + content.length)
  data.set(key)
  data.set(content, key.length + gap)
  return pngChunk(isLatin1 ? 'tEXt' : 'iTXt', data)
}

/** Splits at the first `count` zero bytes. */
function cut(data: Uint8Array, type: string, count: number): Uint8Array[] {
  const fields: Uint8Array[] = []
  let start = 0
  for (let i = 0; i < count; i++) {
    const end = data.indexOf(0, start)
    if (end < 0) throw new FormatError('png', `chunk ${type} is malformed: a separator is missing`)
    fields.push(data.subarray(start, end))
    start = end + 1
  }
  return [...fields, data.subarray(start)]
}

// TextDecoder's 'latin1' is windows-1252, which differs from 0x80 to 0x9f.
function latin1(bytes: Uint8Array): string {
  let text = ''
  for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192))
  return text
}
