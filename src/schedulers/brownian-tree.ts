import type { Tensor } from 'onnxruntime-common'
import { InvalidArgumentError } from '../core/errors'
import { Generator } from '../core/generator'
import { float32Tensor, sizeOf } from '../core/tensor'
import { mixWithNoise } from './normal-hash'

/**
 * How often the range is halved. Two times within one of the 1024 leaves know of each other through its ends only, so
 * this is enough for runs of some hundred steps.
 */
const DEPTH = 10

/** Node numbers from here on name times within a leaf; those below are the tree's. */
const LEAF_NODES = 2 ** (DEPTH + 1)

/**
 * A Brownian motion over a range of noise levels that is the same function of its seed, whichever levels are asked for
 * and in whichever order: runs of any number of steps see the same noise. Every value follows from its neighbours in a
 * binary tree, as a Brownian bridge with random numbers that are a hash of seed, node and element. Its clock is log σ.
 *
 * Corresponds to `BrownianTreeNoiseSampler` in its properties, not in its numbers; the construction is section 4 of
 * https://arxiv.org/abs/2001.01328.
 */
export class BrownianTree {
  private readonly zero: Float32Array
  /**
   * The values on the way to the last time that was asked for, one a level: the next time is often near, so that most
   * of its way is known.
   */
  private readonly path: { node: number; readonly value: Float32Array }[]
  /** The two times asked for last, the newest first: a step begins where the one before began or ended. */
  private readonly asked: { time: number; readonly value: Float32Array }[]

  /**
   * @param dims - The shape of the noise, `[batch, …]`.
   * @param sigmaMin - The lowest noise level, above 0.
   * @param sigmaMax - The highest.
   * @param seeds - One for all, or one for each item of the batch.
   */
  constructor(
    private readonly dims: readonly number[],
    private readonly sigmaMin: number,
    private readonly sigmaMax: number,
    private readonly seeds: readonly bigint[],
  ) {
    const size = sizeOf(dims)
    this.zero = new Float32Array(size)
    this.path = Array.from({ length: DEPTH + 2 }, () => ({ node: -1, value: new Float32Array(size) }))
    this.asked = Array.from({ length: 2 }, () => ({ time: -1, value: new Float32Array(size) }))
  }

  /** Standard normal noise for the step from one noise level to another: their difference, scaled to variance 1. */
  noise(sigmaFrom: number, sigmaTo: number): Tensor {
    const [from, to] = [this.timeOf(sigmaFrom), this.timeOf(sigmaTo)]
    const scale = from === to ? 0 : 1 / Math.sqrt(Math.abs(to - from))
    const start = this.at(from)
    const end = this.at(to)
    const result = end.slice()
    for (let i = 0; i < result.length; i++) result[i] = (result[i] - start[i]) * scale
    return float32Tensor(this.dims, result)
  }

  /** log σ as a share of the range. */
  private timeOf(sigma: number): number {
    const share = Math.log(sigma / this.sigmaMin) / Math.log(this.sigmaMax / this.sigmaMin)
    return Math.min(Math.max(share, 0), 1)
  }

  /** The motion's value at a time in [0, 1]; it stays until two other times were asked for. */
  private at(time: number): Float32Array {
    const { asked } = this
    if (asked[0].time !== time) asked.reverse()
    const [newest] = asked
    if (newest.time !== time) {
      newest.time = time
      newest.value.set(this.valueAt(time))
    }
    return newest.value
  }

  private valueAt(time: number): Float32Array {
    if (time === 0) return this.zero
    let low = this.zero
    let high = this.bridge(0, 0, this.zero, this.zero, 0.5, 1)
    let [start, width] = [0, 1]
    if (time === 1) return high
    for (let depth = 1, node = 1; depth <= DEPTH; depth++) {
      const middle = this.bridge(depth, node, low, high, 0.5, width / 4)
      width /= 2
      if (time === start + width) return middle
      if (time < start + width) {
        high = middle
        node = 2 * node
      } else {
        low = middle
        start += width
        node = 2 * node + 1
      }
    }
    const share = (time - start) / width
    const leaf = LEAF_NODES + Math.round(time * (2 ** 31 - LEAF_NODES))
    return this.bridge(DEPTH + 1, leaf, low, high, share, share * (1 - share) * width)
  }

  /** A value between two: their mean by `share`, plus noise. Level 0 is the root, whose mean is 0. */
  private bridge(
    level: number,
    node: number,
    low: Float32Array,
    high: Float32Array,
    share: number,
    variance: number,
  ): Float32Array {
    const step = this.path[level]
    const { value } = step
    if (step.node === node) return value
    step.node = node
    const size = value.length / this.seeds.length
    for (const [item, seed] of this.seeds.entries()) {
      const [target, from, to] = [value, low, high].map((each) => each.subarray(item * size, (item + 1) * size))
      mixWithNoise(target, from, to, share, Math.sqrt(variance), seed, node)
    }
    // What lies below leans on this value.
    for (const below of this.path.slice(level + 1)) below.node = -1
    return value
  }
}

/**
 * The seeds of a tree of shape `dims`: that of one generator, or that of each item's.
 *
 * @param name - The class that needs them, for errors.
 * @throws InvalidArgumentError if there is no generator, or a list without one for each item.
 */
export function noiseSeeds(
  name: string,
  [batch]: readonly number[],
  generator: Generator | readonly Generator[] | undefined,
): bigint[] {
  if (generator instanceof Generator) return [generator.seed]
  if (generator?.length === batch) return generator.map(({ seed }) => seed)
  const got = generator === undefined ? 'no generator' : `${generator.length} generators`
  throw new InvalidArgumentError(
    name,
    `this step makes noise: got ${got}, expected one, or one for each of ${batch} items`,
  )
}
