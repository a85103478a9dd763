import type { Tensor } from 'onnxruntime-common'
import { linearCombination } from '../core/tensor'
import { betaOptions, zeroSnrOptions } from './betas'
import { thresholdingOptions } from './clipping'
import { type ConfigOf, flag, integer, oneOf, real } from './config'
import { exponentialStep, multistepDerivatives, outputWeights } from './exponential-integrator'
import { History } from './history'
import { LambdaScheduler } from './lambda-scheduler'
import { anyPredictionOptions } from './prediction'
import type { Schedule, ScheduleRequest, StepOptions, StepResult } from './run'
import { flowSigmaOptions, sigmaScheduleOptions } from './sigmas'
import { solverTimesteps, spacingOptions } from './timesteps'
import { outputDims, splitVariance, varianceOptions } from './variance'

const options = {
  ...betaOptions,
  ...zeroSnrOptions,
  ...anyPredictionOptions,
  ...thresholdingOptions,
  ...sigmaScheduleOptions,
  ...flowSigmaOptions,
  ...varianceOptions,
  ...spacingOptions('linspace'),
  solverOrder: integer(2, 1, 3),
  algorithmType: oneOf(['dpmsolver++', 'dpmsolver', 'sde-dpmsolver', 'sde-dpmsolver++'], { deis: 'dpmsolver++' }),
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
export class DPMSolverMultistepScheduler extends LambdaScheduler<ConfigOf<typeof options>> {
  static override readonly className: string = 'DPMSolverMultistepScheduler'
  static override readonly options: typeof options = options
  override readonly stepOptions = new Set(['generator', 'varianceNoise'] as const)
  override readonly scheduleOptions = new Set(['timesteps', 'mu'] as const)

  private readonly history = new History(this.config.solverOrder)

  constructor(given?: object, base?: object) {
    super(given, base)
    const { algorithmType, finalSigmasType, solverOrder } = this.config
    if (!algorithmType.endsWith('++') && finalSigmasType === 'zero') {
      throw this.invalid(
        `contradictory options: got algorithmType ${algorithmType} with finalSigmasType zero, expected sigma_min`,
      )
    }
    if (algorithmType === 'sde-dpmsolver' && solverOrder === 3) {
      throw this.invalid('contradictory options: got algorithmType sde-dpmsolver with solverOrder 3, expected 1 or 2')
    }
  }

  protected override schedule(request: ScheduleRequest): Schedule {
    const { finalSigmasType } = this.config
    const clipped = this.trainingSigmas.findLastIndex((sigma) => -Math.log(sigma) >= this.config.lambdaMinClipped) + 1
    const spaced = solverTimesteps(this.config, request.numInferenceSteps, clipped)
    const { timesteps, sigmas } = this.plan(request, spaced)
    return { timesteps, sigmas: [...sigmas, finalSigmasType === 'zero' ? 0 : this.trainingSigmas[0]] }
  }

  protected override reset(): void {
    this.history.clear()
  }

  protected override outputDims(dims: readonly number[]): readonly number[] {
    return outputDims(dims, this.config.varianceType !== null)
  }

  protected override advance(output: Tensor, timestep: number, sample: Tensor, options: StepOptions): StepResult {
    const { algorithmType, solverType, varianceType } = this.config
    const index = this.indexOf(timestep)
    const from = this.levelAt(index)
    const to = this.levelAt(index + 1)
    const mean = varianceType === null ? output : splitVariance(output).mean
    const integratesSample = algorithmType.endsWith('++')
    const converted = integratesSample ? this.toSample(mean, sample, from) : this.toNoise(mean, sample, from)
    this.history.push(converted)

    const order = this.orderOf(index)
    const step = exponentialStep(algorithmType, solverType, order, from, to)
    const levels = Array.from({ length: order }, (_, age) => this.levelAt(index - age))
    const weights = outputWeights(step.derivatives, multistepDerivatives(to, levels, order))
    const noise = algorithmType.startsWith('sde') ? [this.noise(sample.dims, options)] : []
    const prevSample = linearCombination(
      [step.sample, ...weights, ...noise.map(() => step.noise)],
      [sample, ...this.history.newest(order), ...noise],
    )
    return integratesSample ? { prevSample, predOriginalSample: converted } : { prevSample }
  }

  /** The order grows with the history, and falls at the end where high orders are unstable. */
  private orderOf(index: number): number {
    const { solverOrder, eulerAtFinal, finalSigmasType, lowerOrderFinal } = this.config
    const count = this.timesteps.length
    const lowersOrder = lowerOrderFinal && count < 15
    const available = Math.min(solverOrder, this.history.length)
    if (index === count - 1 && (eulerAtFinal || lowersOrder || finalSigmasType === 'zero')) return 1
    return index === count - 2 && lowersOrder ? Math.min(available, 2) : available
  }
}
