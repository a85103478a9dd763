import { FormatError } from '../core/errors'

const SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10]
const PART = 'png'

/** One chunk of a PNG file; `data` is a view on the file's bytes. */
export interface PngChunk {
  /** Four letters, such as `IHDR`. */
  readonly type: string
  readonly data: Uint8Array
  /** Where the chunk begins (at its length field) and ends (after its CRC) in the file. */
  readonly start: number
  readonly end: number
}

/** Whether the bytes begin with the signature of a PNG file. */
export function isPng(bytes: Uint8Array): boolean {
  return SIGNATURE.every((byte, i) => bytes[i] === byte)
}

/**
 * The chunks of a PNG file up to and with `IEND`; what follows it is ignored. Bounds and CRC of every chunk are checked,
 * and that `IHDR` comes first.
 *
 * @throws FormatError when the file is not a PNG, is cut off or was changed.
 */
export function* pngChunks(bytes: Uint8Array): Generator<PngChunk> {
  if (!isPng(bytes)) throw new FormatError(PART, 'not a PNG file: the signature is missing')
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let start = SIGNATURE.length
  for (;;) {
    if (start + 12 > bytes.length) throw new FormatError(PART, `cut off: got ${bytes.length} bytes and no IEND chunk`)
    const length = view.getUint32(start)
    const end = start + 12 + length
    const type = String.fromCharCode(...bytes.subarray(start + 4, start + 8))
    if (!/^[A-Za-z]{4}$/.test(type)) throw new FormatError(PART, `the chunk at byte ${start} has no valid type`)
    if (end > bytes.length) {
      throw new FormatError(PART, `cut off in chunk ${type}: got ${bytes.length} bytes, expected at least ${end}`)
    }
    const [stored, computed] = [view.getUint32(end - 4), crc32(bytes.subarray(start + 4, end - 4))]
    if (stored !== computed) throw new FormatError(PART, `chunk ${type} at byte ${start} is damaged: its CRC is wrong`)
    if (start === SIGNATURE.length && type !== 'IHDR') {
      throw new FormatError(PART, `the first chunk is wrong: got ${type}, expected IHDR`)
    }
    yield { type, data: bytes.subarray(start + 8, end - 4), start, end }
    if (type === 'IEND') return
    start = end
  }
}

/** A chunk with length and CRC, as it stands in the file. */
export function pngChunk(type: string, data: Uint8Array): Uint8Array {
  const chunk = new Uint8Array(data.length + 12)
  const view = new DataView(chunk.buffer)
  view.setUint32(0, data.length)
  for (let i = 0; i < 4; i++) chunk[4 + i] = type.charCodeAt(i)
  chunk.set(data, 8)
  view.setUint32(data.length + 8, crc32(chunk.subarray(4, data.length + 8)))
  return chunk
}

/** A PNG file of these chunks. */
export function joinPng(chunks: readonly Uint8Array[]): Uint8Array {
  const file = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, SIGNATURE.length))
  file.set(SIGNATURE)
  let offset = SIGNATURE.length
  for (const chunk of chunks) {
    file.set(chunk, offset)
    offset += chunk.length
  }
  return file
}

const crcTable = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? 0xedb88320 ^ (crc >>> 1) : crc >>> 1
  return crc
})

function crc32(bytes: Uint8Array): number {
  let crc = -1
  for (let i = 0; i < bytes.length; i++) crc = crcTable[(crc ^ bytes[i]) & 0xff] ^ (crc >>> 8)
  return ~crc >>> 0
}
