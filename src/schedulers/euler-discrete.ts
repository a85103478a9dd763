import type { Tensor } from 'onnxruntime-common'
import { betaOptions, zeroSnrOptions } from './betas'
import { churn } from './churn'
import { type ConfigOf, oneOf } from './config'
import { eulerStep } from './euler-step'
import { linspaceFloat32, logFloat32 } from './float32'
import type { Schedule, ScheduleRequest, StepOptions, StepResult } from './run'
import { SigmaScheduler } from './sigma-scheduler'
import { sigmaRangeOptions, sigmaScheduleOptions } from './sigmas'
import { spacingOptions } from './timesteps'

const options = {
  ...betaOptions,
  ...zeroSnrOptions,
  ...sigmaScheduleOptions,
  ...sigmaRangeOptions,
  ...spacingOptions('linspace'),
  predictionType: oneOf(['epsilon', 'sample', 'v_prediction'], { original_sample: 'sample' }),
  interpolationType: oneOf(['linear', 'log_linear']),
  timestepType: oneOf(['discrete', 'continuous']),
  finalSigmasType: oneOf(['zero', 'sigma_min']),
}

/**
 * Euler's method on the probability flow ODE, optionally with noise added before each step ("churn"). Corresponds to
 * diffusers' `EulerDiscreteScheduler`; algorithm 2 of https://arxiv.org/abs/2206.00364 without its second-order
 * correction.
 *
 * Steps take `sChurn`, `sTmin`, `sTmax`, `sNoise` and `generator` (needed for a churn above 0); `setTimesteps` takes
 * `timesteps`, and `sigmas` of which the last is that of the result, usually 0.
 */
export class EulerDiscreteScheduler extends SigmaScheduler<ConfigOf<typeof options>> {
  static override readonly className = 'EulerDiscreteScheduler'
  static override readonly options = options
  override readonly stepOptions = new Set(['sChurn', 'sTmin', 'sTmax', 'sNoise', 'generator', 'varianceNoise'] as const)
  override readonly scheduleOptions = new Set(['timesteps', 'sigmas'] as const)

  /** The network sees log σ / 4 instead of a training timestep (EDM models with v prediction). */
  private readonly seesSigma =
    this.config.timestepType === 'continuous' && this.config.predictionType === 'v_prediction'

  protected override schedule(request: ScheduleRequest): Schedule {
    if (request.timesteps && this.seesSigma) {
      throw this.invalid("timesteps can't be chosen: got them with continuous sigmas")
    }
    const { sigmas, timesteps } = request.sigmas ? this.planFrom(request.sigmas) : this.plan(request)
    const seen = this.seesSigma ? sigmas.map((sigma) => 0.25 * Math.fround(Math.log(Math.fround(sigma)))) : timesteps
    const final = this.config.finalSigmasType === 'zero' ? 0 : this.trainingSigmas[0]
    return {
      timesteps: seen.slice(0, timesteps.length).map(Math.fround),
      sigmas: request.sigmas ?? [...sigmas, final],
    }
  }

  protected override advance(output: Tensor, timestep: number, sample: Tensor, options: StepOptions): StepResult {
    const index = this.indexOf(timestep)
    const sigma = this.sigmaAt(index)
    const { noisy, sigmaHat } = churn(sample, sigma, this.timesteps.length, options, () =>
      this.noise(sample.dims, options),
    )
    // Diffusers raises sigma by the churn for epsilon prediction only.
    const predOriginalSample = this.denoise(output, noisy, this.config.predictionType === 'epsilon' ? sigmaHat : sigma)
    return { prevSample: eulerStep(noisy, predOriginalSample, sigmaHat, this.sigmaAt(index + 1)), predOriginalSample }
  }

  protected override sigmasOf(timesteps: readonly number[]): number[] {
    if (this.config.interpolationType === 'linear') return super.sigmasOf(timesteps)
    const logs = this.trainingSigmas.map(logFloat32)
    // One more than there are timesteps, as in diffusers: the last step does not go to 0.
    return [...linspaceFloat32(logs[logs.length - 1], logs[0], timesteps.length + 1).map(Math.exp)]
  }

  private planFrom(given: readonly number[]): Required<Schedule> {
    const sigmas = given.slice(0, -1)
    return { sigmas, timesteps: sigmas.map((sigma) => this.timestepOf(sigma)) }
  }
}
