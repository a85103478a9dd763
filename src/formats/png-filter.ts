import { FormatError } from '../core/errors'

/** Predicts a byte from its neighbours: `left`, `up` and `upLeft` are the same byte of the pixels there. */
type Predictor = (left: number, up: number, upLeft: number) => number

/** The five filter types of PNG (Portable Network Graphics specification, clause 9), by number. */
const predictors: readonly Predictor[] = [
  () => 0,
  (left) => left,
  (_, up) => up,
  (left, up) => (left + up) >> 1,
  (left, up, upLeft) => {
    const estimate = left + up - upLeft
    const [toLeft, toUp, toUpLeft] = [Math.abs(estimate - left), Math.abs(estimate - up), Math.abs(estimate - upLeft)]
    if (toLeft <= toUp && toLeft <= toUpLeft) return left
    return toUp <= toUpLeft ? up : upLeft
  },
]

/**
 * Takes the filter off a row, in place.
 *
 * @param type - The filter's number, the byte in front of the row.
 * @param row - The filtered bytes; afterwards the row's own.
 * @param previous - The row above, already unfiltered; zeros for the first row.
 * @param pixelBytes - Bytes of a whole pixel, at least 1.
 */
export function unfilterRow(type: number, row: Uint8Array, previous: Uint8Array, pixelBytes: number): void {
  if (type >= predictors.length)
    throw new FormatError('png', `a row has an unknown filter: got ${type}, expected 0 to 4`)
  const predict = predictors[type]
  for (let i = 0; i < row.length; i++) {
    row[i] +=
      i < pixelBytes ? predict(0, previous[i], 0) : predict(row[i - pixelBytes], previous[i], previous[i - pixelBytes])
  }
}

/**
 * Writes the filtered row into `out`, the filter's number in front. The filter is the one whose differences are
 * smallest in sum, as the PNG specification suggests (12.7).
 */
export function filterRow(row: Uint8Array, previous: Uint8Array, pixelBytes: number, out: Uint8Array): void {
  const candidate = new Uint8Array(row.length)
  let best = Number.POSITIVE_INFINITY
  predictors.forEach((predict, type) => {
    let sum = 0
    for (let i = 0; i < row.length; i++) {
      const prediction =
        i < pixelBytes
          ? predict(0, previous[i], 0)
          : predict(row[i - pixelBytes], previous[i], previous[i - pixelBytes])
      candidate[i] = row[i] - prediction
      sum += candidate[i] < 128 ? candidate[i] : 256 - candidate[i]
    }
    if (sum >= best) return
    best = sum
    out[0] = type
    out.set(candidate, 1)
  })
}
