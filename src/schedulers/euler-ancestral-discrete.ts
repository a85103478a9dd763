import type { Tensor } from 'onnxruntime-common'
import { linearCombination } from '../core/tensor'
import { ancestralStep } from './ancestral'
import { betaOptions, zeroSnrOptions } from './betas'
import type { ConfigOf } from './config'
import { predictionOptions } from './prediction'
import type { Schedule, ScheduleRequest, StepOptions, StepResult } from './run'
import { SigmaScheduler } from './sigma-scheduler'
import { spacingOptions } from './timesteps'

const options = {
  ...betaOptions,
  ...zeroSnrOptions,
  ...spacingOptions('linspace'),
  ...predictionOptions,
}

/**
 * Euler's method to a noise level below the next one, then fresh noise up to it. Corresponds to diffusers'
 * `EulerAncestralDiscreteScheduler`; `sample_euler_ancestral` of k-diffusion.
 *
 * Every step draws noise: it takes `generator` or `varianceNoise`.
 */
export class EulerAncestralDiscreteScheduler extends SigmaScheduler<ConfigOf<typeof options>> {
  static override readonly className = 'EulerAncestralDiscreteScheduler'
  static override readonly options = options
  override readonly stepOptions = new Set(['generator', 'varianceNoise'] as const)

  protected override schedule(request: ScheduleRequest): Schedule {
    const { timesteps, sigmas } = this.plan(request)
    return { timesteps, sigmas: [...sigmas, 0] }
  }

  protected override advance(modelOutput: Tensor, timestep: number, sample: Tensor, options: StepOptions): StepResult {
    const index = this.indexOf(timestep)
    const sigma = this.sigmaAt(index)
    const predOriginalSample = this.denoise(modelOutput, sample, sigma)
    const { down, up } = ancestralStep(sigma, this.sigmaAt(index + 1))
    const ratio = down / sigma
    // The last step draws too, for nothing: the generator is then where diffusers leaves it.
    const noise = this.noise(sample.dims, options)
    const prevSample = linearCombination([ratio, 1 - ratio, up], [sample, predOriginalSample, noise])
    return { prevSample, predOriginalSample }
  }
}
