import { describe, expect, it } from 'vitest'
import { Generator } from '../../src/core/generator'
import { BrownianTree, noiseSeeds } from '../../src/schedulers/brownian-tree'

const DIMS = [1, 4, 64, 64]
const SIGMAS = Array.from({ length: 21 }, (_, i) => 14.6 * (0.03 / 14.6) ** (i / 20))
const tree = (seed = 5n, dims: readonly number[] = DIMS) => new BrownianTree(dims, 0.03, 14.6, [seed])
const noise = (from: number, to: number, of = tree()) => of.noise(from, to).data as Float32Array
const mean = (values: Float32Array, f: (value: number, i: number) => number) =>
  values.reduce((sum, value, i) => sum + f(value, i), 0) / values.length
/** The increment itself: the noise times the square root of the time, which is log σ as a share of the range. */
const increment = (from: number, to: number, of = tree()) => {
  const scale = Math.sqrt(Math.abs(Math.log(from / to)) / Math.log(14.6 / 0.03))
  return noise(from, to, of).map((value) => value * scale)
}

describe('BrownianTree', () => {
  // 16,384 numbers: the mean has a deviation of 0.008, the variance of 0.011; four of them are the tolerance.
  it('gives normal noise for every step of a run, independent of that of the step before', () => {
    const shared = tree()
    let before: Float32Array | undefined
    for (let i = 0; i < 20; i++) {
      const values = noise(SIGMAS[i], SIGMAS[i + 1], shared)
      expect(Math.abs(mean(values, (v) => v))).toBeLessThan(0.032)
      expect(Math.abs(mean(values, (v) => v * v) - 1)).toBeLessThan(0.045)
      expect(Math.abs(mean(values, (v) => v ** 4) - 3)).toBeLessThan(0.31)
      const previous = before
      if (previous) expect(Math.abs(mean(values, (v, j) => v * previous[j]))).toBeLessThan(0.032)
      before = values
    }
  })

  it('gives the same noise for the same step, whatever was asked for before', () => {
    const alone = noise(SIGMAS[7], SIGMAS[8])
    const shared = tree()
    for (let i = 20; i > 0; i--) noise(SIGMAS[i - 1], SIGMAS[i], shared)
    expect(noise(SIGMAS[7], SIGMAS[8], shared)).toEqual(alone)
    expect(noise(SIGMAS[8], SIGMAS[7], shared)).toEqual(alone.map((value) => -value))
  })

  it('adds up: a step is the sum of the steps that it is divided into', () => {
    const whole = increment(SIGMAS[3], SIGMAS[9])
    const parts = [3, 4, 5, 6, 7, 8].map((i) => increment(SIGMAS[i], SIGMAS[i + 1]))
    const difference = Math.max(...whole.map((value, i) => Math.abs(value - parts.reduce((sum, p) => sum + p[i], 0))))
    expect(difference).toBeLessThan(1e-6)
  })

  it('depends on the seed, to the highest bit, and on each item’s alone', () => {
    const [a, b, c] = [1n, 1n + 2n ** 63n, 2n].map((seed) => noise(3, 2, tree(seed)))
    for (const [x, y] of [
      [a, b],
      [a, c],
    ]) {
      expect(Math.abs(mean(x, (v, i) => v * y[i]))).toBeLessThan(0.032)
    }
    const batch = new BrownianTree([2, 4, 64, 64], 0.03, 14.6, [2n, 1n]).noise(3, 2).data as Float32Array
    expect(batch.slice(0, 16384)).toEqual(c)
    expect(batch.slice(16384)).toEqual(a)
  })
})

describe('noiseSeeds', () => {
  it('takes one generator for all, or one for each item', () => {
    expect(noiseSeeds('Test', [2, 4], new Generator(3))).toEqual([3n])
    expect(noiseSeeds('Test', [2, 4], [new Generator(3), new Generator(4)])).toEqual([3n, 4n])
    expect(() => noiseSeeds('Test', [2, 4], [new Generator(3)])).toThrow('[latentkit] [Test] this step makes noise')
    expect(() => noiseSeeds('Test', [2, 4], undefined)).toThrow('got no generator, expected one')
  })
})
