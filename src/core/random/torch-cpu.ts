import { log32, sinCos32 } from './float32-math'
import { MersenneTwister } from './mt19937'
import type { Draws, RandomSource } from './source'

const { fround } = Math
const TWO_PI = 2 * Math.PI
const TWO_PI_32 = fround(TWO_PI)

/** PyTorch's vectorised normal distribution works on blocks of this many numbers; shorter draws take the scalar path. */
const BLOCK = 16

/** How many pairs of numbers are computed at once: long loops are fast ones. */
const PAIRS = 512
const radii = new Float32Array(PAIRS)
const radiiBits = new Int32Array(radii.buffer)
const sines = new Float32Array(PAIRS)
const cosines = new Float32Array(PAIRS)

/**
 * PyTorch's CPU generator (ATen `CPUGeneratorImpl`, `DistributionTemplates.h`): a Mersenne Twister seeded with the low
 * 32 bits of the seed, uniform numbers of 24 (float32) or 53 bits (float64), and Box-Muller in one of two forms.
 */
export class TorchCpuSource implements RandomSource {
  private engine: MersenneTwister
  /** The second number of the last Box-Muller pair of the scalar path. It outlives draws on the other path. */
  private spare: number | undefined

  constructor(seed: bigint) {
    this.engine = new MersenneTwister(Number(BigInt.asUintN(32, seed)))
  }

  fillUniform(out: Draws): void {
    const { engine } = this
    if (out instanceof Float32Array) {
      for (let i = 0; i < out.length; i++) out[i] = (engine.uint32() & 0xffffff) * 2 ** -24
    } else {
      for (let i = 0; i < out.length; i++) out[i] = this.uniform53()
    }
  }

  fillNormal(out: Draws): void {
    if (out.length < BLOCK) {
      for (let i = 0; i < out.length; i++) out[i] = this.normal()
      return
    }
    this.fillUniform(out)
    blocksToNormal(out.subarray(0, out.length - (out.length % BLOCK)))
    if (out.length % BLOCK !== 0) {
      // PyTorch draws the last block anew, so that it is whole; it overlaps the block before it.
      const last = out.subarray(out.length - BLOCK)
      this.fillUniform(last)
      blocksToNormal(last)
    }
  }

  clone(): TorchCpuSource {
    const copy = new TorchCpuSource(0n)
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

  /** A multiple of 2⁻⁵³ in [0, 1) from the low bits of a 64-bit number, whose high word is drawn first. */
  private uniform53(): number {
    const high = this.engine.uint32() & 0x1fffff
    return (high * 2 ** 32 + this.engine.uint32()) * 2 ** -53
  }

  private normal(): number {
    const { spare } = this
    if (spare !== undefined) {
      this.spare = undefined
      return spare
    }
    const theta = TWO_PI * this.uniform53()
    const radius = Math.sqrt(-2 * Math.log1p(-this.uniform53()))
    this.spare = radius * Math.sin(theta)
    return radius * Math.cos(theta)
  }
}

/** Box-Muller in place: the uniform numbers `j` and `j + 8` of every block become one pair of normal ones. */
function blocksToNormal(data: Draws): void {
  if (data instanceof Float32Array) {
    for (let start = 0; start < data.length; start += 2 * PAIRS) toNormal32(data.subarray(start, start + 2 * PAIRS))
  } else {
    for (let start = 0; start < data.length; start += BLOCK) {
      for (let j = start; j < start + BLOCK / 2; j++) {
        const radius = Math.sqrt(-2 * Math.log(1 - data[j]))
        const theta = TWO_PI * data[j + BLOCK / 2]
        data[j] = radius * Math.cos(theta)
        data[j + BLOCK / 2] = radius * Math.sin(theta)
      }
    }
  }
}

/** The same for at most {@link PAIRS} pairs in float32. */
function toNormal32(data: Float32Array): void {
  const half = BLOCK / 2
  for (let start = 0, pair = 0; start < data.length; start += BLOCK) {
    for (let j = start; j < start + half; j++, pair++) {
      radii[pair] = 1 - data[j]
      sines[pair] = TWO_PI_32 * data[j + half]
    }
  }
  const pairs = data.length / 2
  log32(radii, radiiBits, pairs)
  sinCos32(sines, cosines, pairs)
  for (let start = 0, pair = 0; start < data.length; start += BLOCK) {
    for (let j = start; j < start + half; j++, pair++) {
      const radius = fround(Math.sqrt(-2 * radii[pair]))
      data[j] = radius * cosines[pair]
      data[j + half] = radius * sines[pair]
    }
  }
}
