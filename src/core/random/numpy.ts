import { MersenneTwister } from './mt19937'
import type { Draws, RandomSource } from './source'

/**
 * NumPy's `RandomState` (`random_sample` and the legacy `standard_normal`, Marsaglia's polar method), always computed
 * in float64.
 */
export class NumpySource implements RandomSource {
  private engine: MersenneTwister
  /** The second number of the last pair. */
  private spare: number | undefined

  /** @param seed - An integer from 0 to 2³² − 1, as `RandomState` takes it. */
  constructor(seed: bigint) {
    this.engine = new MersenneTwister(Number(seed))
  }

  fillUniform(out: Draws): void {
    for (let i = 0; i < out.length; i++) out[i] = this.uniform53()
  }

  fillNormal(out: Draws): void {
    for (let i = 0; i < out.length; i++) out[i] = this.normal()
  }

  clone(): NumpySource {
    const copy = new NumpySource(0n)
    copy.engine = this.engine.clone()
    copy.spare = this.spare
    return copy
  }

  getState(): Float64Array<ArrayBuffer> {
    return Float64Array.of(...this.engine.getState(), this.spare ?? Number.NaN)
  }

  setState(state: Float64Array): void {
    const [spare] = this.engine.setState(state)
    this.spare = Number.isNaN(spare) ? undefined : spare
  }

  /** A multiple of 2⁻⁵³ in [0, 1): 27 bits of one number above 26 bits of the next. */
  private uniform53(): number {
    const high = this.engine.uint32() >>> 5
    return (high * 2 ** 26 + (this.engine.uint32() >>> 6)) * 2 ** -53
  }

  private normal(): number {
    const { spare } = this
    if (spare !== undefined) {
      this.spare = undefined
      return spare
    }
    for (;;) {
      const x = 2 * this.uniform53() - 1
      const y = 2 * this.uniform53() - 1
      const squared = x * x + y * y
      if (squared >= 1 || squared === 0) continue
      const factor = Math.sqrt((-2 * Math.log(squared)) / squared)
      this.spare = factor * x
      return factor * y
    }
  }
}
