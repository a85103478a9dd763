import { DPMSolverMultistepScheduler } from './dpm-solver-multistep'
import type { Schedule, ScheduleRequest } from './run'
import type { SigmaSchedule } from './sigmas'
import { inverseTimesteps } from './timesteps'

/**
 * DPM-Solver run backwards, from a picture to the noise that it would be made from. Corresponds to diffusers'
 * `DPMSolverMultistepInverseScheduler`; https://arxiv.org/abs/2211.09794. Timesteps ascend; `finalSigmasType` has no
 * effect. A timestep that sigmas fall on twice is visited once.
 */
export class DPMSolverMultistepInverseScheduler extends DPMSolverMultistepScheduler {
  static override readonly className = 'DPMSolverMultistepInverseScheduler'
  override readonly scheduleOptions = new Set(['mu'] as const)

  constructor(options?: object, base?: object) {
    super(options, base)
    const { algorithmType } = this.config
    if (algorithmType.startsWith('sde')) {
      throw this.invalid(
        `contradictory options: got algorithmType ${algorithmType}, whose fresh noise has no inverse, expected an ODE's`,
      )
    }
  }

  protected override schedule(request: ScheduleRequest): Schedule {
    const end = this.firstClipped(this.config.lambdaMinClipped)
    const { timesteps, sigmas } = this.plan(
      request,
      inverseTimesteps(this.config, request.numInferenceSteps, end).reverse(),
    )
    const steps = timesteps.map((timestep, i) => ({ timestep, sigma: sigmas[i] })).reverse()
    const unique = steps.filter(({ timestep }, i) => i === 0 || timestep !== steps[i - 1].timestep)
    const last = this.sigmaSchedule ? sigmas[0] : this.trainingSigmas[end - 1]
    return {
      timesteps: unique.map(({ timestep }) => timestep),
      sigmas: [...unique.map(({ sigma }) => sigma), last],
    }
  }

  protected override endsAtZero(): boolean {
    return false
  }

  protected override roundsTimesteps(schedule: SigmaSchedule): boolean {
    return schedule === 'karras' || schedule === 'lu'
  }
}
