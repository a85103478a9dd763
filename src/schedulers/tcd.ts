import type { Tensor } from 'onnxruntime-common'
import { linearCombination } from '../core/tensor'
import { ConsistencyScheduler, consistencyOptions } from './consistency'
import { levelOfAlphaCumprod, noiseWeights, sampleWeights } from './prediction'
import type { StepOptions, StepResult } from './run'

/**
 * Trajectory consistency distillation: jumps to below the next noise level and adds noise up to it. Corresponds to
 * diffusers' `TCDScheduler`; https://arxiv.org/abs/2402.19159. Its thresholding and clipping options have no effect,
 * as in diffusers.
 *
 * Steps take `eta` (the paper's γ, default 0.3: the share of fresh noise), and `generator` or `varianceNoise`, which
 * every step but the last needs for an eta above 0.
 */
export class TCDScheduler extends ConsistencyScheduler {
  static override readonly className = 'TCDScheduler'
  static override readonly options = consistencyOptions
  override readonly stepOptions = new Set(['eta', 'generator', 'varianceNoise'] as const)

  protected override advance(
    output: Tensor,
    timestep: number,
    sample: Tensor,
    { eta = 0.3, ...noiseSource }: StepOptions,
  ): StepResult {
    const { predictionType } = this.config
    const index = this.indexOf(timestep)
    const next = this.timesteps[index + 1] ?? 0
    const level = levelOfAlphaCumprod(this.alphaCumprod(timestep))
    // PyTorch takes this share in float32.
    const below = this.alphaCumprod(Math.floor(Math.fround(Math.fround(1 - eta) * next)))
    const target = levelOfAlphaCumprod(below)

    const predOriginalSample = linearCombination(sampleWeights(predictionType, level), [sample, output])
    const [ofSample, ofOutput] = noiseWeights(predictionType, level)
    const noised = linearCombination(
      [target.alpha, target.sigma * ofSample, target.sigma * ofOutput],
      [predOriginalSample, sample, output],
    )
    if (eta === 0 || index === this.timesteps.length - 1) return { prevSample: noised, predOriginalSample }
    const share = this.alphaCumprod(next) / below
    const noise = this.noise(sample.dims, noiseSource)
    const prevSample = linearCombination([Math.sqrt(share), Math.sqrt(1 - share)], [noised, noise])
    return { prevSample, predOriginalSample }
  }
}
