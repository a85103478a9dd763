/** Where drawn numbers go; the type of the array says in which precision they are computed. */
export type Draws = Float32Array | Float64Array

/** One algorithm with its state: what a Generator draws from. */
export interface RandomSource {
  /** Fills `out` with numbers of the standard normal distribution. */
  fillNormal(out: Draws): void
  /** Fills `out` with numbers evenly distributed in [0, 1). */
  fillUniform(out: Draws): void
  /** Another source that will draw what this one will draw. */
  clone(): RandomSource
  /** All that decides about the next draws, as numbers that float64 holds exactly. */
  getState(): Float64Array<ArrayBuffer>
  /** Goes on from such a state. */
  setState(state: Float64Array): void
}
