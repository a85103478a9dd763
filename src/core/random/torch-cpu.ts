import { BLOCK, scalarBoxMuller, uniform24 } from './box-muller'
import { loadKernel } from './kernel'
import { MersenneTwister } from './mt19937'
import type { Draws, RandomSource } from './source'

const TWO_PI = 2 * Math.PI

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
      for (let i = 0; i < out.length; i++) out[i] = uniform24(engine.uint32())
    } else {
      for (let i = 0; i < out.length; i++) out[i] = this.uniform53()
    }
  }

  fillNormal(out: Draws): void {
    if (out.length < BLOCK) {
      for (let i = 0; i < out.length; i++) out[i] = this.normal()
      return
    }
    const rest = out.length % BLOCK
    this.fillBlocks(out.subarray(0, out.length - rest))
    if (rest !== 0) {
      // PyTorch draws a number for each element, then the last block anew, so that it is whole; it overlaps the block
      // before it.
      this.fillUniform(out.subarray(-rest))
      this.fillBlocks(out.subarray(-BLOCK))
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

  private fillBlocks(out: Draws): void {
    if (out instanceof Float32Array) {
      const boxMuller = loadKernel()?.boxMuller ?? scalarBoxMuller
      const { words, normals } = boxMuller
      for (let start = 0; start < out.length; start += words.length) {
        const count = Math.min(words.length, out.length - start)
        this.engine.fill(words.subarray(0, count))
        boxMuller.transform(count)
        out.set(normals.subarray(0, count), start)
      }
    } else {
      this.fillUniform(out)
      blocksToNormal64(out)
    }
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
function blocksToNormal64(data: Float64Array): void {
  for (let start = 0; start < data.length; start += BLOCK) {
    for (let j = start; j < start + BLOCK / 2; j++) {
      const radius = Math.sqrt(-2 * Math.log(1 - data[j]))
      const theta = TWO_PI * data[j + BLOCK / 2]
      data[j] = radius * Math.cos(theta)
      data[j + BLOCK / 2] = radius * Math.sin(theta)
    }
  }
}
