import { alphasCumprod, type BetaConfig } from './betas'
import { levelOfAlphaCumprod, type NoiseLevel, type PredictionType } from './prediction'
import type { ScheduleOptions } from './run'
import { Scheduler } from './scheduler'

/** The options that every class of the family has. */
export type AlphaConfig = BetaConfig & { readonly predictionType: PredictionType }

/**
 * The family of DDPM and DDIM: a sample is √ᾱ·x₀ + √(1 − ᾱ)·ε, and ᾱ is looked up by the training timestep.
 */
export abstract class AlphaScheduler<C extends AlphaConfig> extends Scheduler<C> {
  /** ᾱ of every training timestep. */
  protected readonly alphasCumprod = alphasCumprod(this.config)

  override setTimesteps(numInferenceSteps?: number, options?: ScheduleOptions): void {
    const { numTrainTimesteps, predictionType } = this.config
    if (numInferenceSteps !== undefined && numInferenceSteps > numTrainTimesteps) {
      throw this.invalid(
        `too many inference steps: got ${numInferenceSteps}, expected at most numTrainTimesteps, ${numTrainTimesteps}`,
      )
    }
    super.setTimesteps(numInferenceSteps, options)
    const pureNoise = this.timesteps.find((timestep) => this.alphaCumprod(timestep) === 0)
    if (predictionType === 'epsilon' && pureNoise !== undefined) {
      throw this.invalid(
        `contradictory options: got rescaleBetasZeroSnr with predictionType epsilon, which says nothing of the sample ` +
          `at timestep ${pureNoise} where all is noise, expected predictionType v_prediction`,
      )
    }
  }

  /** ᾱ of a training timestep, an integer. */
  protected alphaCumprod(timestep: number): number {
    const value = this.alphasCumprod[timestep]
    if (value !== undefined) return value
    const last = this.alphasCumprod.length - 1
    throw this.invalid(`not a timestep of the training: got ${timestep}, expected an integer from 0 to ${last}`)
  }

  protected override noiseLevel(timestep: number): NoiseLevel {
    return levelOfAlphaCumprod(this.alphaCumprod(timestep))
  }
}
