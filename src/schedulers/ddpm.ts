import type { Tensor } from 'onnxruntime-common'
import { float32Data, float32Tensor, linearCombination } from '../core/tensor'
import { AlphaScheduler } from './alpha-scheduler'
import { betaOptions, zeroSnrOptions } from './betas'
import { clippingOptions, restrain, thresholdingOptions } from './clipping'
import { type ConfigOf, oneOf } from './config'
import { levelOfAlphaCumprod, predictionOptions, sampleWeights } from './prediction'
import type { Schedule, ScheduleRequest, StepOptions, StepResult } from './run'
import { roundHalfEven, spacedTimesteps, spacingOptions } from './timesteps'
import { outputDims, splitVariance } from './variance'

const options = {
  ...betaOptions,
  ...zeroSnrOptions,
  ...predictionOptions,
  ...clippingOptions,
  ...thresholdingOptions,
  ...spacingOptions('leading'),
  varianceType: oneOf(['fixed_small', 'fixed_small_log', 'fixed_large', 'fixed_large_log', 'learned', 'learned_range']),
}

/**
 * Denoising diffusion probabilistic models: samples the posterior of each step. Corresponds to diffusers'
 * `DDPMScheduler`; https://arxiv.org/abs/2006.11239, the learned variances: https://arxiv.org/abs/2102.09672.
 *
 * Every step but the one at timestep 0 draws noise: it takes `generator` or `varianceNoise`. `setTimesteps` takes
 * `timesteps`.
 */
export class DDPMScheduler extends AlphaScheduler<ConfigOf<typeof options>> {
  static override readonly className = 'DDPMScheduler'
  static override readonly options = options
  override readonly stepOptions = new Set(['generator', 'varianceNoise'] as const)
  override readonly scheduleOptions = new Set(['timesteps'] as const)

  private readonly learnsVariance = this.config.varianceType.startsWith('learned')

  protected override schedule({ numInferenceSteps, timesteps }: ScheduleRequest): Schedule {
    return { timesteps: timesteps ?? spacedTimesteps(this.config, numInferenceSteps).map(roundHalfEven) }
  }

  protected override outputDims(dims: readonly number[]): readonly number[] {
    return outputDims(dims, this.learnsVariance)
  }

  protected override advance(output: Tensor, timestep: number, sample: Tensor, options: StepOptions): StepResult {
    const { mean, variance } = this.learnsVariance ? splitVariance(output) : { mean: output, variance: undefined }
    const previousTimestep = this.timesteps[this.timesteps.indexOf(timestep) + 1]
    const alphaCumprod = this.alphaCumprod(timestep)
    const previous = previousTimestep === undefined ? 1 : this.alphaCumprod(previousTimestep)
    const alpha = alphaCumprod / previous
    const beta = 1 - alpha

    const weights = sampleWeights(this.config.predictionType, levelOfAlphaCumprod(alphaCumprod))
    const predOriginalSample = restrain(linearCombination(weights, [sample, mean]), this.config)

    // The mean of the posterior, equation 7.
    const ofOriginal = (Math.sqrt(previous) * beta) / (1 - alphaCumprod)
    const ofSample = (Math.sqrt(alpha) * (1 - previous)) / (1 - alphaCumprod)
    const terms = [predOriginalSample, sample]
    if (timestep === 0) return { prevSample: linearCombination([ofOriginal, ofSample], terms), predOriginalSample }

    const noise = this.noise(sample.dims, options)
    const smallest = Math.max(((1 - previous) / (1 - alphaCumprod)) * beta, 1e-20)
    if (variance) {
      const scaled = this.scaleByVariance(noise, variance, smallest, beta)
      return { prevSample: linearCombination([ofOriginal, ofSample, 1], [...terms, scaled]), predOriginalSample }
    }
    const deviation = Math.sqrt(this.config.varianceType.startsWith('fixed_large') ? beta : smallest)
    return { prevSample: linearCombination([ofOriginal, ofSample, deviation], [...terms, noise]), predOriginalSample }
  }

  /** Noise times the deviation that the network says: the variance itself, or where its logarithm lies in its range. */
  private scaleByVariance(noise: Tensor, predicted: Tensor, smallest: number, largest: number): Tensor {
    const [low, high] = [Math.log(smallest), Math.log(largest)]
    const variance = float32Data(predicted, 'the predicted variance')
    const inRange = this.config.varianceType === 'learned_range'
    const deviationOf = (value: number) =>
      inRange ? Math.exp(0.5 * (low + ((value + 1) / 2) * (high - low))) : Math.sqrt(value)
    return float32Tensor(
      noise.dims,
      float32Data(noise, 'the noise').map((z, i) => z * deviationOf(variance[i])),
    )
  }
}
