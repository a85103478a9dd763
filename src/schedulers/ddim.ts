import type { Tensor } from 'onnxruntime-common'
import { linearCombination } from '../core/tensor'
import { AlphaScheduler } from './alpha-scheduler'
import { betaOptions, zeroSnrOptions } from './betas'
import { clippingOptions, restrain, thresholdingOptions } from './clipping'
import { type ConfigOf, flag } from './config'
import { levelOfAlphaCumprod, noiseWeights, predictionOptions, sampleWeights } from './prediction'
import type { Schedule, ScheduleRequest, StepOptions, StepResult } from './run'
import { roundHalfEven, spacedTimesteps, spacingOptions } from './timesteps'

const options = {
  ...betaOptions,
  ...zeroSnrOptions,
  ...predictionOptions,
  ...clippingOptions,
  ...thresholdingOptions,
  ...spacingOptions('leading'),
  setAlphaToOne: flag(true),
}

/**
 * Denoising diffusion implicit models: deterministic at `eta` 0, DDPM's amount of fresh noise at `eta` 1. Corresponds
 * to diffusers' `DDIMScheduler`; https://arxiv.org/abs/2010.02502.
 *
 * Steps take `eta`, `generator` (needed for an eta above 0), `varianceNoise` and `useClippedModelOutput`.
 */
export class DDIMScheduler extends AlphaScheduler<ConfigOf<typeof options>> {
  static override readonly className = 'DDIMScheduler'
  static override readonly options = options
  override readonly stepOptions = new Set(['eta', 'generator', 'varianceNoise', 'useClippedModelOutput'] as const)

  private readonly finalAlphaCumprod = this.config.setAlphaToOne ? 1 : this.alphasCumprod[0]

  protected override schedule({ numInferenceSteps }: ScheduleRequest): Schedule {
    return { timesteps: spacedTimesteps(this.config, numInferenceSteps).map(roundHalfEven) }
  }

  protected override advance(
    modelOutput: Tensor,
    timestep: number,
    sample: Tensor,
    { eta = 0, useClippedModelOutput = false, ...noiseSource }: StepOptions,
  ): StepResult {
    const { predictionType, numTrainTimesteps } = this.config
    const previousTimestep = timestep - Math.floor(numTrainTimesteps / this.numInferenceSteps)
    const alphaCumprod = this.alphaCumprod(timestep)
    const previousAlphaCumprod = previousTimestep >= 0 ? this.alphaCumprod(previousTimestep) : this.finalAlphaCumprod
    const level = levelOfAlphaCumprod(alphaCumprod)

    const predicted = linearCombination(sampleWeights(predictionType, level), [sample, modelOutput])
    const predOriginalSample = restrain(predicted, this.config)
    const epsilon = useClippedModelOutput
      ? linearCombination(noiseWeights('sample', level), [sample, predOriginalSample])
      : linearCombination(noiseWeights(predictionType, level), [sample, modelOutput])

    // Equations 12 and 16.
    const variance = ((1 - previousAlphaCumprod) / (1 - alphaCumprod)) * (1 - alphaCumprod / previousAlphaCumprod)
    const deviation = eta * Math.sqrt(variance)
    const direction = Math.sqrt(Math.max(1 - previousAlphaCumprod - deviation ** 2, 0))
    const weights = [Math.sqrt(previousAlphaCumprod), direction]
    const terms = [predOriginalSample, epsilon]
    if (eta > 0) {
      weights.push(deviation)
      terms.push(this.noise(sample.dims, noiseSource))
    }
    return { prevSample: linearCombination(weights, terms), predOriginalSample }
  }
}
