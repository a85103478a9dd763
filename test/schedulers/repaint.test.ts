import { describe, expect, it } from 'vitest'
import { Generator } from '../../src/core/generator'
import { float32Data, float32Tensor } from '../../src/core/tensor'
import { RePaintScheduler, type ScheduleOptions } from '../../src/schedulers'
import { alphasCumprod } from '../../src/schedulers/betas'
import { DEVIATION, MEAN, TRAINING, trainedBetas } from './gaussian'

const toy = { trainedBetas, numTrainTimesteps: TRAINING, clipSample: false }

describe('RePaintScheduler', () => {
  it('plans to go back as the paper does', () => {
    const scheduler = new RePaintScheduler()
    scheduler.setTimesteps(6, { jumpLength: 2, jumpNSample: 2 })
    // Down to 2, back to 4, down to 0, back to 2, down to 0; in 166 training steps each.
    expect(scheduler.timesteps.map((timestep) => timestep / 166)).toEqual([5, 4, 3, 2, 3, 4, 3, 2, 1, 0, 1, 2, 1, 0])
  })

  it('takes each step once without samples to repeat', () => {
    const scheduler = new RePaintScheduler()
    scheduler.setTimesteps(4, { jumpNSample: 1 })
    expect(scheduler.timesteps).toEqual([750, 500, 250, 0])
  })

  it('undoes a step by the noise of the training steps in between', () => {
    const scheduler = new RePaintScheduler(toy)
    scheduler.setTimesteps(20)
    const dims = [1, 4, 64, 64]
    const alphas = alphasCumprod(scheduler.config)
    const noisier = scheduler.undoStep(ones(dims), 96, { generator: new Generator(4) })
    const values = float32Data(noisier, 'the sample')
    const mean = values.reduce((sum, x) => sum + x, 0) / values.length
    const variance = values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length
    // What is left of the signal after training steps 96 to 143.
    const left = alphas[143] / alphas[95]
    expect(mean).toBeCloseTo(Math.sqrt(left), 2)
    expect(variance).toBeCloseTo(1 - left, 2)
  })

  /*
   * Two correlated values, of which the first is known: the second must come out as it is given the first. A single pass
   * can't do that, because each step sees another noise on the known one; going back can.
   */
  const CORRELATION = 0.8

  /** Mean and variance of the unknown values, as shares of the data's deviation and variance. */
  function paintBesideKnown(schedule: ScheduleOptions): { known: Float32Array; mean: number; variance: number } {
    const scheduler = new RePaintScheduler({ ...toy, eta: 1 })
    scheduler.setTimesteps(40, schedule)
    const pairs = 1024
    const dims = [1, 2, 32, 32]
    const generator = new Generator(3)
    const alphas = alphasCumprod(scheduler.config)
    const originalImage = float32Tensor(dims, new Float32Array(2 * pairs).fill(MEAN + DEVIATION))
    const mask = float32Tensor([1, 2, 1, 1], Float32Array.of(1, 0))
    let sample = generator.randn(dims)
    for (const [i, timestep] of scheduler.timesteps.entries()) {
      const before = scheduler.timesteps[i - 1]
      if (timestep > before) {
        sample = scheduler.undoStep(sample, before, { generator })
        continue
      }
      const output = pairNetwork(float32Data(sample, 'the sample'), pairs, alphas[timestep])
      const options = { generator, originalImage, mask }
      sample = scheduler.step(float32Tensor(dims, output), timestep, sample, options).prevSample
    }
    const values = float32Data(sample, 'the sample')
    const unknown = values.subarray(pairs).map((x) => (x - MEAN) / DEVIATION)
    const mean = unknown.reduce((sum, x) => sum + x, 0) / pairs
    return {
      known: values.slice(0, pairs),
      mean,
      variance: unknown.reduce((sum, x) => sum + (x - mean) ** 2, 0) / pairs,
    }
  }

  /** The noise that a perfect network sees in correlated pairs: sum and difference are independent. */
  function pairNetwork(values: Float32Array, pairs: number, alphaCumprod: number): Float32Array<ArrayBuffer> {
    const [alpha, variance] = [Math.sqrt(alphaCumprod), 1 - alphaCumprod]
    const output = new Float32Array(2 * pairs)
    for (let i = 0; i < pairs; i++) {
      const [first, second] = [values[i], values[pairs + i]].map((x) => x - alpha * MEAN)
      const [sum, difference] = [first + second, first - second].map((y, k) => {
        const spread = DEVIATION ** 2 * (1 + (k === 0 ? CORRELATION : -CORRELATION))
        return (y * variance) / (alphaCumprod * spread + variance) / Math.sqrt(variance)
      })
      output[i] = (sum + difference) / 2
      output[pairs + i] = (sum - difference) / 2
    }
    return output
  }

  it('keeps what is known to the bit', () => {
    const { known } = paintBesideKnown({ jumpNSample: 1 })
    expect(new Set(known)).toEqual(new Set([Math.fround(MEAN + DEVIATION)]))
  })

  it('paints what goes with it, and the better for going back', () => {
    const once = paintBesideKnown({ jumpNSample: 1 })
    const often = paintBesideKnown({ jumpLength: 5, jumpNSample: 5 })
    // A fixed known value, one deviation above the mean, asks for a mean of 0.8 and a variance of 1 − 0.8².
    expect(once.mean).toBeLessThan(0.55)
    expect(Math.abs(often.mean - CORRELATION)).toBeLessThan(0.12)
    expect(Math.abs(often.variance - (1 - CORRELATION ** 2))).toBeLessThan(0.06)
  })

  it('names what is missing or of the wrong shape', () => {
    const scheduler = new RePaintScheduler()
    scheduler.setTimesteps(4)
    const sample = ones([1, 4, 2, 2])
    const generator = new Generator(1)
    expect(() => scheduler.step(sample, 750, sample, { generator })).toThrow('expected both')
    const mask = ones([1, 3, 2, 2])
    expect(() => scheduler.step(sample, 750, sample, { generator, originalImage: sample, mask })).toThrow(
      'mask has the wrong shape: got [1, 3, 2, 2], expected [1, 4, 2, 2]',
    )
    expect(() => scheduler.setTimesteps(4, { jumpLength: 0 })).toThrow('jumpLength is out of range: got 0')
  })
})

function ones(dims: readonly number[]) {
  const { size } = float32Tensor(dims)
  return float32Tensor(dims, new Float32Array(size).fill(1))
}
