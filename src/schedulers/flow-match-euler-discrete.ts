import type { Tensor } from 'onnxruntime-common'
import { linearCombination } from '../core/tensor'
import { type ConfigOf, flag } from './config'
import { FlowScheduler, flowScheduleOptions } from './flow-scheduler'
import type { Schedule, ScheduleRequest, StepOptions, StepResult } from './run'

const options = { ...flowScheduleOptions, stochasticSampling: flag(false) }

/**
 * Euler's method for flow-matching models, or with `stochasticSampling` a jump to the picture and fresh noise back.
 * Corresponds to diffusers' `FlowMatchEulerDiscreteScheduler`; https://arxiv.org/abs/2403.03206.
 *
 * `setTimesteps` takes `sigmas` or `timesteps`, without that of the result, and `mu`, which `useDynamicShifting` needs.
 * With `stochasticSampling` every step draws noise: it takes `generator` or `varianceNoise`.
 */
export class FlowMatchEulerDiscreteScheduler extends FlowScheduler<ConfigOf<typeof options>> {
  static override readonly className = 'FlowMatchEulerDiscreteScheduler'
  static override readonly options = options
  override readonly stepOptions = new Set(['generator', 'varianceNoise'] as const)
  override readonly scheduleOptions = new Set(['timesteps', 'sigmas', 'mu'] as const)

  protected override schedule(request: ScheduleRequest): Schedule {
    const { timesteps, sigmas } = this.plan(request)
    return { timesteps, sigmas: [...sigmas, this.config.invertSigmas ? 1 : 0] }
  }

  protected override advance(output: Tensor, timestep: number, sample: Tensor, options: StepOptions): StepResult {
    const index = this.indexOf(timestep)
    const [sigma, next] = [this.sigmaAt(index), this.sigmaAt(index + 1)]
    const predOriginalSample = this.denoise(output, sample, sigma)
    const prevSample = this.config.stochasticSampling
      ? linearCombination([1 - next, next], [predOriginalSample, this.noise(sample.dims, options)])
      : linearCombination([1, next - sigma], [sample, output])
    return { prevSample, predOriginalSample }
  }
}
