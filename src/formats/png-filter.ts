import { FormatError } from '../core/errors'

/** The number of filter types (Portable Network Graphics specification, clause 9). */
const FILTERS = 5

/** What filter `type` expects a byte to be, from the same byte of the pixels to the left and above. */
function predict(type: number, left: number, up: number, upLeft: number): number {
  switch (type) {
    case 0:
      return 0
    case 1:
      return left
    case 2:
      return up
    case 3:
      return (left + up) >> 1
    default: {
      // Paeth: whichever of the three is nearest to the plane through them.
      const toLeft = Math.abs(up - upLeft)
      const toUp = Math.abs(left - upLeft)
      const toUpLeft = Math.abs(left + up - 2 * upLeft)
      if (toLeft <= toUp && toLeft <= toUpLeft) return left
      return toUp <= toUpLeft ? up : upLeft
    }
  }
}

/**
 * Takes the filter off a row, in place.
 *
 * @param type - The filter's number, the byte in front of the row.
 * @param row - The filtered bytes; afterwards the row's own.
 * @param previous - The row above, already unfiltered; zeros for the first row.
 * @param pixelBytes - Bytes of a whole pixel, at least 1.
 */
export function unfilterRow(type: number, row: Uint8Array, previous: Uint8Array, pixelBytes: number): void {
  if (type >= FILTERS) throw new FormatError('png', `a row has an unknown filter: got ${type}, expected 0 to 4`)
  if (type === 0) return
  for (let i = 0; i < Math.min(pixelBytes, row.length); i++) row[i] += predict(type, 0, previous[i], 0)
  for (let i = pixelBytes; i < row.length; i++) {
    row[i] += predict(type, row[i - pixelBytes], previous[i], previous[i - pixelBytes])
  }
}

/**
 * Writes the filtered row into `out`, the filter's number in front. The filter is the one whose differences are
 * smallest in sum, as the PNG specification suggests (12.7).
 */
export function filterRow(row: Uint8Array, previous: Uint8Array, pixelBytes: number, out: Uint8Array): void {
  const candidate = new Uint8Array(row.length)
  let best = Number.POSITIVE_INFINITY
  for (let type = 0; type < FILTERS; type++) {
    let sum = 0
    for (let i = 0; i < row.length; i++) {
      const expected =
        i < pixelBytes
          ? predict(type, 0, previous[i], 0)
          : predict(type, row[i - pixelBytes], previous[i], previous[i - pixelBytes])
      const difference = (row[i] - expected) & 255
      candidate[i] = difference
      sum += difference < 128 ? difference : 256 - difference
    }
    if (sum < best) {
      best = sum
      out[0] = type
      out.set(candidate, 1)
    }
  }
}
