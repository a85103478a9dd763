import { Unzlib } from 'fflate'
import { FormatError } from '../core/errors'

// Deflate codes at most 258 bytes in two bits, so a piece of this size makes at most 8 MiB.
const PIECE = 8192

/** The most bytes that `length` bytes of zlib data can stand for. */
export function inflatedLimit(length: number): number {
  return length * 1032
}

/**
 * Decompresses zlib data into `out` and returns how many bytes were written. It stops when `out` is full, so that
 * hostile data cannot take more memory than the caller gave, and reads no checksum.
 *
 * @param parts - The compressed data, in pieces that follow each other.
 * @param out - Receives the bytes.
 * @param part - What errors name as the place.
 * @throws FormatError when the data is not zlib data.
 */
export function inflateInto(parts: Iterable<Uint8Array>, out: Uint8Array, part: string): number {
  let filled = 0
  const stream = new Unzlib((data) => {
    const room = out.length - filled
    out.set(data.length > room ? data.subarray(0, room) : data, filled)
    filled += Math.min(data.length, room)
  })
  try {
    for (const bytes of parts) {
      for (let start = 0; start < bytes.length && filled < out.length; start += PIECE) {
        stream.push(bytes.subarray(start, start + PIECE))
      }
    }
  } catch (cause) {
    throw new FormatError(part, 'the compressed data is damaged', { cause })
  }
  return filled
}
