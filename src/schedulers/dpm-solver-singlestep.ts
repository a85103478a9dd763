import type { Tensor } from 'onnxruntime-common'
import { linearCombination } from '../core/tensor'
import { type ConfigOf, flag, integer, oneOf, real } from './config'
import { exponentialStep, outputWeights, singlestepDerivatives } from './exponential-integrator'
import { History } from './history'
import { LambdaScheduler, lambdaOptions } from './lambda-scheduler'
import type { Schedule, ScheduleRequest, StepOptions, StepResult } from './run'
import { solverTimesteps } from './timesteps'
import { varianceOptions } from './variance'

const options = {
  ...lambdaOptions,
  ...varianceOptions,
  solverOrder: integer(2, 1, 3),
  algorithmType: oneOf(['dpmsolver++', 'dpmsolver', 'sde-dpmsolver++'], {
    deis: 'dpmsolver++',
    data_prediction: 'dpmsolver++',
    noise_prediction: 'dpmsolver++',
  }),
  solverType: oneOf(['midpoint', 'heun'], { logrho: 'midpoint', bh1: 'midpoint', bh2: 'midpoint' }),
  lowerOrderFinal: flag(false),
  finalSigmasType: oneOf(['zero', 'sigma_min']),
  lambdaMinClipped: real(-Infinity),
}

/**
 * DPM-Solver and DPM-Solver++ of order 1 to 3 as singlestep methods: every `solverOrder` network calls make one step of
 * that order. Corresponds to diffusers' `DPMSolverSinglestepScheduler`; https://arxiv.org/abs/2206.00927 and
 * https://arxiv.org/abs/2211.01095.
 *
 * With `sde-dpmsolver++` every step draws noise: it takes `generator` or `varianceNoise`.
 */
export class DPMSolverSinglestepScheduler extends LambdaScheduler<ConfigOf<typeof options>> {
  static override readonly className = 'DPMSolverSinglestepScheduler'
  static override readonly options = options
  override readonly stepOptions = new Set(['generator', 'varianceNoise'] as const)
  override readonly scheduleOptions: ReadonlySet<'timesteps' | 'mu'> = new Set(['timesteps', 'mu'] as const)

  private readonly history = new History(this.config.solverOrder)
  /** The order of every step: 1, 2, … up to the solver's, again and again. */
  private orders: readonly number[] = []
  /** The sample that the group of steps under way starts from. */
  private start?: Tensor

  constructor(given?: object, base?: object) {
    super(given, base)
    const { algorithmType, solverType, solverOrder, finalSigmasType } = this.config
    if (algorithmType === 'sde-dpmsolver++' && solverType === 'heun' && solverOrder === 3) {
      throw this.invalid(
        'contradictory options: got algorithmType sde-dpmsolver++ with solverOrder 3 and solverType heun, whose formula ' +
          'in diffusers does not converge, expected midpoint',
      )
    }
    if (algorithmType === 'dpmsolver' && finalSigmasType === 'zero') {
      throw this.invalid(
        'contradictory options: got algorithmType dpmsolver with finalSigmasType zero, expected sigma_min',
      )
    }
  }

  protected override schedule(request: ScheduleRequest): Schedule {
    const { lambdaMinClipped, finalSigmasType } = this.config
    const spacing = { ...this.config, timestepSpacing: 'linspace', stepsOffset: 0 } as const
    const spaced = solverTimesteps(spacing, request.numInferenceSteps, this.firstClipped(lambdaMinClipped))
    const { timesteps, sigmas } = this.plan(request, spaced)
    return { timesteps, sigmas: [...sigmas, finalSigmasType === 'zero' ? 0 : this.trainedSigma(sigmas)] }
  }

  protected override reset(): void {
    this.history.clear()
    this.start = undefined
    this.orders = this.planOrders(this.timesteps.length)
  }

  protected override advance(output: Tensor, timestep: number, sample: Tensor, options: StepOptions): StepResult {
    const { algorithmType, solverType } = this.config
    const index = this.indexOf(timestep)
    const level = this.levelAt(index)
    const integratesSample = algorithmType !== 'dpmsolver'
    const converted = integratesSample ? this.toSample(output, sample, level) : this.toNoise(output, sample, level)
    this.history.push(converted)

    // A run that begins within a group has no outputs before it.
    const order = Math.min(this.orders[index], this.history.length)
    if (order === 1) this.start = sample
    const to = this.levelAt(index + 1)
    const levels = Array.from({ length: order }, (_, age) => this.levelAt(index - age))
    const step = exponentialStep(algorithmType, solverType, order, levels[order - 1], to)
    const weights = outputWeights(step.derivatives, singlestepDerivatives(to, levels, solverType))
    const noise = algorithmType === 'sde-dpmsolver++' ? [this.noise(sample.dims, options)] : []
    const prevSample = linearCombination(
      [step.sample, ...weights, ...noise.map(() => step.noise)],
      [this.start ?? sample, ...this.history.newest(order), ...noise],
    )
    return integratesSample ? { prevSample, predOriginalSample: converted } : { prevSample }
  }

  /** Whole groups as far as they go, then a part of one; the last step may have to be of first order. */
  private planOrders(count: number): readonly number[] {
    const { solverOrder, lowerOrderFinal, finalSigmasType } = this.config
    const orders = Array.from({ length: count }, (_, i) => (i % solverOrder) + 1)
    const lowersLast = finalSigmasType === 'zero' || (lowerOrderFinal && count % solverOrder === 0)
    return lowersLast ? orders.with(count - 1, 1) : orders
  }
}
