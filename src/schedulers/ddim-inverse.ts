import type { Tensor } from 'onnxruntime-common'
import { linearCombination } from '../core/tensor'
import { AlphaScheduler } from './alpha-scheduler'
import { betaOptions, zeroSnrOptions } from './betas'
import { clippingOptions, restrain } from './clipping'
import { type ConfigOf, flag } from './config'
import { levelOfAlphaCumprod, noiseWeights, predictionOptions, sampleWeights } from './prediction'
import type { Schedule, ScheduleRequest, StepResult } from './run'
import { roundHalfEven, spacedTimesteps, spacingOptions } from './timesteps'

const options = {
  ...betaOptions,
  ...zeroSnrOptions,
  ...predictionOptions,
  ...clippingOptions,
  ...spacingOptions('leading'),
  setAlphaToOne: flag(true),
}

/**
 * DDIM run backwards, from a picture to the noise that DDIM would make it from. Corresponds to diffusers'
 * `DDIMInverseScheduler`; https://arxiv.org/abs/2105.05233, appendix F. Timesteps ascend.
 */
export class DDIMInverseScheduler extends AlphaScheduler<ConfigOf<typeof options>> {
  static override readonly className = 'DDIMInverseScheduler'
  static override readonly options = options

  private readonly initialAlphaCumprod = this.config.setAlphaToOne ? 1 : this.alphasCumprod[0]

  constructor(given?: object, base?: object) {
    super(given, base)
    if (this.config.predictionType === 'sample' && this.config.setAlphaToOne) {
      throw this.invalid(
        'contradictory options: got predictionType sample with setAlphaToOne, which leaves no noise to tell at first',
      )
    }
  }

  protected override schedule({ numInferenceSteps }: ScheduleRequest): Schedule {
    return { timesteps: spacedTimesteps(this.config, numInferenceSteps).map(roundHalfEven).reverse() }
  }

  protected override advance(modelOutput: Tensor, timestep: number, sample: Tensor): StepResult {
    const { predictionType, numTrainTimesteps } = this.config
    const from = timestep - Math.floor(numTrainTimesteps / this.numInferenceSteps)
    const level = levelOfAlphaCumprod(from >= 0 ? this.alphaCumprod(from) : this.initialAlphaCumprod)
    const next = levelOfAlphaCumprod(this.alphaCumprod(timestep))
    const predicted = linearCombination(sampleWeights(predictionType, level), [sample, modelOutput])
    const predOriginalSample = restrain(predicted, this.config)
    const [ofSample, ofOutput] = noiseWeights(predictionType, level)
    const prevSample = linearCombination(
      [next.alpha, next.sigma * ofSample, next.sigma * ofOutput],
      [predOriginalSample, sample, modelOutput],
    )
    return { prevSample, predOriginalSample }
  }
}
