import type { Tensor } from 'onnxruntime-common'
import { interpolate } from '../core/interpolate'
import { linearCombination } from '../core/tensor'
import { type ConfigOf, numbers, oneOf, optional } from './config'
import { FlowScheduler, flowScheduleOptions } from './flow-scheduler'
import type { Schedule, ScheduleRequest, StepOptions, StepResult } from './run'
import { roundHalfEven } from './timesteps'

const options = {
  ...flowScheduleOptions,
  scaleFactors: optional(numbers([], 0)),
  upscaleMode: oneOf(['bicubic', 'nearest', 'linear', 'bilinear', 'trilinear', 'area', 'nearest-exact']),
}

/**
 * Latent consistency for flow-matching models: jumps to the picture and adds noise again, in a few steps. Corresponds
 * to diffusers' `FlowMatchLCMScheduler`; https://arxiv.org/abs/2310.04378 on https://arxiv.org/abs/2403.03206.
 *
 * With `scaleFactors` the picture grows on the way (https://arxiv.org/abs/2503.16397): after each step but the last it
 * is resized to that factor of its first size, and `prevSample` with it. `setTimesteps` takes `sigmas` or `timesteps`,
 * without that of the result, and `mu`, which `useDynamicShifting` needs. Every step draws noise: it takes `generator`
 * or `varianceNoise`, which is of `prevSample`'s shape.
 */
export class FlowMatchLCMScheduler extends FlowScheduler<ConfigOf<typeof options>> {
  static override readonly className = 'FlowMatchLCMScheduler'
  static override readonly options = options
  override readonly stepOptions = new Set(['generator', 'varianceNoise'] as const)
  override readonly scheduleOptions = new Set(['timesteps', 'sigmas', 'mu'] as const)

  /** The spatial dimensions that a run began with. */
  private firstSize?: readonly number[]

  protected override schedule(request: ScheduleRequest): Schedule {
    const { scaleFactors, invertSigmas } = this.config
    const { timesteps, sigmas } = this.plan(request)
    if (scaleFactors && scaleFactors.length > 0 && timesteps.length !== scaleFactors.length + 1) {
      throw this.invalid(
        `wrong number of inference steps: got ${timesteps.length}, expected ${scaleFactors.length + 1}, one more than ` +
          'there are scaleFactors',
      )
    }
    return { timesteps, sigmas: [...sigmas, invertSigmas ? 1 : 0] }
  }

  protected override reset(): void {
    this.firstSize = undefined
  }

  protected override advance(output: Tensor, timestep: number, sample: Tensor, options: StepOptions): StepResult {
    const index = this.indexOf(timestep)
    const next = this.sigmaAt(index + 1)
    const predOriginalSample = this.scaled(this.denoise(output, sample, this.sigmaAt(index)), index)
    // The last step draws too, for nothing: the generator is then where diffusers leaves it.
    const noise = this.noise(predOriginalSample.dims, options)
    return { prevSample: linearCombination([1 - next, next], [predOriginalSample, noise]), predOriginalSample }
  }

  /** The picture at the size that the next step is for. */
  private scaled(picture: Tensor, index: number): Tensor {
    const { scaleFactors, upscaleMode } = this.config
    this.firstSize ??= picture.dims.slice(2)
    const factor = scaleFactors?.[index]
    if (factor === undefined) return picture
    const size = this.firstSize.map((length) => roundHalfEven(factor * length))
    return interpolate(picture, size, upscaleMode)
  }
}
