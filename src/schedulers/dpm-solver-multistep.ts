import type { Tensor } from 'onnxruntime-common'
import { linearCombination } from '../core/tensor'
import { zeroSnrOptions } from './betas'
import { type ConfigOf, flag, integer, oneOf, real } from './config'
import { multistepStep } from './exponential-integrator'
import { History, multistepOrder } from './history'
import { LambdaScheduler, lambdaOptions } from './lambda-scheduler'
import type { Schedule, ScheduleRequest, StepOptions, StepResult } from './run'
import type { SigmaSchedule } from './sigmas'
import { solverTimesteps, spacingOptions } from './timesteps'
import { varianceOptions } from './variance'

/** The options of DPM-Solver as a multistep method, in both directions. */
export const dpmSolverOptions = {
  ...lambdaOptions,
  ...zeroSnrOptions,
  ...varianceOptions,
  ...spacingOptions('linspace'),
  solverOrder: integer(2, 1, 3),
  algorithmType: oneOf(['dpmsolver++', 'dpmsolver', 'sde-dpmsolver', 'sde-dpmsolver++'], {
    deis: 'dpmsolver++',
    data_prediction: 'dpmsolver++',
    noise_prediction: 'dpmsolver++',
  }),
  solverType: oneOf(['midpoint', 'heun'], { logrho: 'midpoint', bh1: 'midpoint', bh2: 'midpoint' }),
  lowerOrderFinal: flag(true),
  eulerAtFinal: flag(false),
  useLuLambdas: flag(false),
  finalSigmasType: oneOf(['zero', 'sigma_min']),
  lambdaMinClipped: real(-Infinity),
}

/**
 * DPM-Solver and DPM-Solver++ of order 1 to 3 as multistep methods, for the ODE and the SDE. Corresponds to diffusers'
 * `DPMSolverMultistepScheduler`; https://arxiv.org/abs/2206.00927 and https://arxiv.org/abs/2211.01095.
 *
 * With an `sde-` algorithm every step draws noise: it takes `generator` or `varianceNoise`.
 */
export class DPMSolverMultistepScheduler extends LambdaScheduler<ConfigOf<typeof dpmSolverOptions>> {
  static override readonly className: string = 'DPMSolverMultistepScheduler'
  static override readonly options = dpmSolverOptions
  override readonly stepOptions = new Set(['generator', 'varianceNoise'] as const)
  override readonly scheduleOptions: ReadonlySet<'timesteps' | 'mu'> = new Set(['timesteps', 'mu'] as const)

  private readonly history = new History(this.config.solverOrder)

  constructor(options?: object, base?: object) {
    super(options, base)
    const { algorithmType, solverOrder } = this.config
    if (!algorithmType.endsWith('++') && this.endsAtZero()) {
      throw this.invalid(
        `contradictory options: got algorithmType ${algorithmType} with finalSigmasType zero, expected sigma_min`,
      )
    }
    if (algorithmType === 'sde-dpmsolver' && solverOrder === 3) {
      throw this.invalid('contradictory options: got algorithmType sde-dpmsolver with solverOrder 3, expected 1 or 2')
    }
  }

  protected override schedule(request: ScheduleRequest): Schedule {
    const end = this.firstClipped(this.config.lambdaMinClipped)
    const { timesteps, sigmas } = this.plan(request, solverTimesteps(this.config, request.numInferenceSteps, end))
    return { timesteps, sigmas: [...sigmas, this.endsAtZero() ? 0 : this.trainedSigma(sigmas)] }
  }

  /** Whether the result has no noise left. */
  protected endsAtZero(): boolean {
    return this.config.finalSigmasType === 'zero'
  }

  protected override roundsTimesteps(schedule: SigmaSchedule): boolean {
    return (schedule === 'karras' || schedule === 'lu') && this.config.betaSchedule !== 'squaredcos_cap_v2'
  }

  protected override reset(): void {
    this.history.clear()
  }

  protected override advance(output: Tensor, timestep: number, sample: Tensor, options: StepOptions): StepResult {
    const { algorithmType, solverType, solverOrder, lowerOrderFinal, eulerAtFinal } = this.config
    const index = this.indexOf(timestep)
    const from = this.levelAt(index)
    const integratesSample = algorithmType.endsWith('++')
    const converted = integratesSample ? this.toSample(output, sample, from) : this.toNoise(output, sample, from)
    this.history.push(converted)

    const count = this.timesteps.length
    const available = Math.min(solverOrder, this.history.length)
    const lowersOrder = lowerOrderFinal && count < 15
    const order = multistepOrder(available, count - index, lowersOrder, eulerAtFinal || this.endsAtZero())
    const levels = Array.from({ length: order }, (_, age) => this.levelAt(index - age))
    const step = multistepStep(algorithmType, solverType, levels, this.levelAt(index + 1))
    const noise = algorithmType.startsWith('sde') ? [this.noise(sample.dims, options)] : []
    const prevSample = linearCombination(
      [step.sample, ...step.outputs, ...noise.map(() => step.noise)],
      [sample, ...this.history.newest(order), ...noise],
    )
    return integratesSample ? { prevSample, predOriginalSample: converted } : { prevSample }
  }
}
