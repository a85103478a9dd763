import type { Tensor } from 'onnxruntime-common'
import { linearCombination } from '../core/tensor'
import { evenLatentBetaOptions } from './betas'
import { clippingOptions, restrain } from './clipping'
import { type ConfigOf, flag } from './config'
import { predictionOptions } from './prediction'
import type { Schedule, ScheduleRequest, StepResult } from './run'
import { twiceButFirst } from './second-order'
import { SigmaScheduler } from './sigma-scheduler'
import { sigmaScheduleOptions } from './sigmas'
import { spacingOptions } from './timesteps'

const options = {
  ...evenLatentBetaOptions,
  ...predictionOptions,
  ...sigmaScheduleOptions,
  ...clippingOptions,
  clipSample: flag(false),
  ...spacingOptions('linspace'),
}

/**
 * Heun's method of second order on the probability flow ODE: a step of Euler's, then again with the mean of the slopes
 * at its ends. Every step but the last calls the network twice. Corresponds to diffusers' `HeunDiscreteScheduler`;
 * algorithm 1 of https://arxiv.org/abs/2206.00364.
 *
 * `setTimesteps` takes `timesteps`.
 */
export class HeunDiscreteScheduler extends SigmaScheduler<ConfigOf<typeof options>> {
  static override readonly className = 'HeunDiscreteScheduler'
  static override readonly options = options
  override readonly order = 2
  override readonly scheduleOptions = new Set(['timesteps'] as const)

  /** Where the step under way started, while the network looks at its end. */
  private start?: { readonly sample: Tensor; readonly slope: Tensor }

  protected override schedule(request: ScheduleRequest): Schedule {
    const { timesteps, sigmas } = this.plan(request)
    return { timesteps: twiceButFirst(timesteps.map(Math.fround)), sigmas: [...twiceButFirst(sigmas), 0] }
  }

  protected override reset(): void {
    this.start = undefined
  }

  protected override advance(output: Tensor, timestep: number, sample: Tensor): StepResult {
    const index = this.indexOf(timestep)
    const sigma = this.sigmaAt(index)
    const predOriginalSample = restrain(this.denoise(output, sample, sigma), this.config)
    const slope = linearCombination([1 / sigma, -1 / sigma], [sample, predOriginalSample])
    const { start } = this
    if (start === undefined) {
      this.start = { sample, slope }
      const dt = this.sigmaAt(index + 1) - sigma
      return { prevSample: linearCombination([1, dt], [sample, slope]), predOriginalSample }
    }
    this.start = undefined
    const dt = sigma - this.sigmaAt(index - 1)
    const prevSample = linearCombination([1, dt / 2, dt / 2], [start.sample, start.slope, slope])
    return { prevSample, predOriginalSample }
  }
}
