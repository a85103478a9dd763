import type { Tensor } from 'onnxruntime-common'
import { linearCombination } from '../core/tensor'
import { type BetaConfig, positiveAlphasCumprod } from './betas'
import type { NoiseLevel } from './prediction'
import { Scheduler } from './scheduler'
import { interpolate, trainingSigmas } from './sigmas'
import type { TimestepSpacing } from './timesteps'

/** The options that every class of the family has. */
export type SigmaConfig = BetaConfig & { readonly timestepSpacing: TimestepSpacing }

/**
 * The family of k-diffusion's samplers: a sample is x₀ + σ·ε, its variance grows with the noise, and the network sees
 * it scaled down (https://arxiv.org/abs/2206.00364).
 */
export abstract class SigmaScheduler<C extends SigmaConfig> extends Scheduler<C> {
  /** σ of every training timestep, ascending. */
  protected readonly trainingSigmas = trainingSigmas(positiveAlphasCumprod(this.config))

  override get initNoiseSigma(): number {
    const max = (this.sigmas ?? this.trainingSigmas).reduce((largest, sigma) => Math.max(largest, sigma), 0)
    return Math.fround(this.config.timestepSpacing === 'leading' ? Math.sqrt(max ** 2 + 1) : max)
  }

  override scaleModelInput(sample: Tensor, timestep: number): Tensor {
    const sigma = this.sigmaAt(this.indexOf(timestep))
    return linearCombination([1 / Math.sqrt(sigma ** 2 + 1)], [sample])
  }

  protected override noiseLevel(timestep: number): NoiseLevel {
    return { alpha: 1, sigma: this.sigmaAt(this.noiseIndexOf(timestep)) }
  }

  /** The noise level of a step; one past the last step is that of the result. */
  protected sigmaAt(index: number): number {
    return this.sigmas?.[index] ?? 0
  }

  /** The training's sigma at a timestep, which may lie between two. */
  protected interpolatedSigma(timestep: number): number {
    return interpolate(this.trainingSigmas, timestep)
  }
}
