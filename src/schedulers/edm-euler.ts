import type { Tensor } from 'onnxruntime-common'
import { churn } from './churn'
import type { ConfigOf } from './config'
import { EdmScheduler, edmOptions } from './edm-scheduler'
import { eulerStep } from './euler-step'
import type { Schedule, ScheduleRequest, StepOptions, StepResult } from './run'
import { scheduledSigmas } from './sigmas'

/**
 * Euler's method for EDM models, optionally with noise added before each step ("churn"). Corresponds to diffusers'
 * `EDMEulerScheduler`; algorithm 2 of https://arxiv.org/abs/2206.00364 without its second-order correction.
 *
 * Steps take `sChurn`, `sTmin`, `sTmax`, `sNoise` and `generator` or `varianceNoise` (needed for a churn above 0);
 * `setTimesteps` takes `sigmas`, the noise levels themselves without that of the result; diffusers takes places on its
 * schedule under that name.
 */
export class EDMEulerScheduler extends EdmScheduler<ConfigOf<typeof edmOptions>> {
  static override readonly className = 'EDMEulerScheduler'
  static override readonly options = edmOptions
  override readonly stepOptions = new Set(['sChurn', 'sTmin', 'sTmax', 'sNoise', 'generator', 'varianceNoise'] as const)
  override readonly scheduleOptions = new Set(['sigmas'] as const)

  protected override schedule({ numInferenceSteps, sigmas: given }: ScheduleRequest): Schedule {
    const { sigmaMin, sigmaMax, rho, sigmaSchedule, finalSigmasType } = this.config
    const scheduled = () =>
      sigmaSchedule === 'karras'
        ? scheduledSigmas('karras', numInferenceSteps, sigmaMin, sigmaMax, rho)
        : this.exponentialSigmas(numInferenceSteps)
    const sigmas = given ?? scheduled()
    const final = finalSigmasType === 'zero' ? 0 : sigmas[sigmas.length - 1]
    return { timesteps: sigmas.map((sigma) => this.timestepOf(sigma)), sigmas: [...sigmas, final] }
  }

  protected override advance(output: Tensor, timestep: number, sample: Tensor, options: StepOptions): StepResult {
    const index = this.indexOf(timestep)
    const { noisy, sigmaHat } = churn(sample, this.sigmaAt(index), this.timesteps.length, options, () =>
      this.noise(sample.dims, options),
    )
    const predOriginalSample = this.denoise(output, noisy, sigmaHat)
    return { prevSample: eulerStep(noisy, predOriginalSample, sigmaHat, this.sigmaAt(index + 1)), predOriginalSample }
  }
}
