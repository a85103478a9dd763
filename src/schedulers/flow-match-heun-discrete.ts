import type { Tensor } from 'onnxruntime-common'
import { linearCombination } from '../core/tensor'
import { churn } from './churn'
import type { ConfigOf } from './config'
import { FlowScheduler, flowOptions } from './flow-scheduler'
import type { Schedule, ScheduleRequest, StepOptions, StepResult } from './run'
import { twiceButFirst } from './second-order'

/**
 * Heun's method of second order for flow-matching models: a step of Euler's, then again with the mean of the slopes at
 * its ends. Every step but the last calls the network twice. Corresponds to diffusers'
 * `FlowMatchHeunDiscreteScheduler`; https://arxiv.org/abs/2403.03206 and algorithm 1 of
 * https://arxiv.org/abs/2206.00364.
 *
 * Steps take `sChurn`, `sTmin`, `sTmax`, `sNoise` and `generator` or `varianceNoise` (needed for a churn above 0).
 */
export class FlowMatchHeunDiscreteScheduler extends FlowScheduler<ConfigOf<typeof flowOptions>> {
  static override readonly className = 'FlowMatchHeunDiscreteScheduler'
  static override readonly options = flowOptions
  override readonly order = 2
  override readonly stepOptions = new Set(['sChurn', 'sTmin', 'sTmax', 'sNoise', 'generator', 'varianceNoise'] as const)

  /** Where the step under way started, while the network looks at its end. */
  private start?: { readonly sample: Tensor; readonly slope: Tensor; readonly dt: number }

  protected override schedule(request: ScheduleRequest): Schedule {
    const { timesteps, sigmas } = this.plan(request)
    return { timesteps: twiceButFirst(timesteps), sigmas: [...twiceButFirst(sigmas), 0] }
  }

  protected override reset(): void {
    this.start = undefined
  }

  protected override advance(output: Tensor, timestep: number, sample: Tensor, options: StepOptions): StepResult {
    const index = this.indexOf(timestep)
    const { start } = this
    const sigma = this.sigmaAt(start ? index - 1 : index)
    // Diffusers churns at a step's end too, where the slope does not depend on the sample: only the noise is drawn.
    const { noisy, sigmaHat } = churn(sample, sigma, this.timesteps.length, options, () =>
      this.noise(sample.dims, options),
    )
    if (start === undefined) {
      const slope = linearCombination([sigma / sigmaHat], [output])
      const dt = this.sigmaAt(index + 1) - sigmaHat
      this.start = { sample: noisy, slope, dt }
      const predOriginalSample = this.denoise(output, noisy, sigma)
      return { prevSample: linearCombination([1, dt], [noisy, slope]), predOriginalSample }
    }
    this.start = undefined
    const half = start.dt / 2
    const prevSample = linearCombination([1, half, half], [start.sample, start.slope, output])
    return { prevSample, predOriginalSample: this.denoise(output, sample, this.sigmaAt(index)) }
  }
}
