import type { Tensor } from 'onnxruntime-common'
import { linearCombination } from '../core/tensor'
import { type ConfigOf, flag, integer, type Option, oneOf, optional, real } from './config'
import type { LogSnrLevel } from './exponential-integrator'
import { History } from './history'
import { LambdaScheduler, lambdaOptions } from './lambda-scheduler'
import { exponentialWeights } from './polynomials'
import { levelOfSigma, type NoiseLevel } from './prediction'
import type { Schedule, ScheduleRequest, StepOptions, StepResult } from './run'
import { solverTimesteps, spacingOptions } from './timesteps'
import { varianceOptions } from './variance'

/** How much fresh noise a timestep gets: 0 none, 1 that of the SDE. */
export type Tau = (timestep: number) => number

const tauFunction: Option<Tau> = {
  initial: (timestep) => (timestep >= 200 && timestep <= 800 ? 1 : 0),
  expected: 'a function from timestep to a number of 0 or more',
  accepts: (value): value is Tau => typeof value === 'function',
}

const options = {
  ...lambdaOptions,
  ...varianceOptions,
  ...spacingOptions('linspace'),
  predictorOrder: integer(2, 1, 4),
  correctorOrder: integer(2, 1, 4),
  tauFunc: optional(tauFunction),
  algorithmType: oneOf(['data_prediction', 'noise_prediction'], {
    'dpmsolver++': 'data_prediction',
    'sde-dpmsolver++': 'data_prediction',
    dpmsolver: 'noise_prediction',
    'sde-dpmsolver': 'noise_prediction',
    deis: 'data_prediction',
  }),
  lowerOrderFinal: flag(true),
  lambdaMinClipped: real(-Infinity),
}

/** What a predictor left behind, for the corrector. */
interface LastStep {
  readonly sample: Tensor
  readonly noise: Tensor
  readonly tau: number
  readonly correctorOrder: number
}

/** What is integrated: a step from one level to another. */
interface Segment {
  readonly from: LogSnrLevel
  readonly to: LogSnrLevel
  readonly tau: number
}

/**
 * SA-Solver: stochastic Adams predictor and corrector; `tauFunc` says how much fresh noise each timestep gets (0 none,
 * 1 that of the SDE; default 1 from timestep 200 to 800). Corresponds to diffusers' `SASolverScheduler`;
 * https://arxiv.org/abs/2309.05019.
 *
 * Every step draws noise: it takes `generator` or `varianceNoise`.
 */
export class SASolverScheduler extends LambdaScheduler<ConfigOf<typeof options>> {
  static override readonly className = 'SASolverScheduler'
  static override readonly options = options
  override readonly stepOptions = new Set(['generator', 'varianceNoise'] as const)

  private readonly tau = this.config.tauFunc ?? tauFunction.initial
  private readonly integratesSample = this.config.algorithmType === 'data_prediction'
  private readonly history = new History(Math.max(this.config.predictorOrder, this.config.correctorOrder - 1))
  private last?: LastStep

  protected override schedule(request: ScheduleRequest): Schedule {
    const end = this.firstClipped(this.config.lambdaMinClipped)
    const { timesteps, sigmas } = this.plan(request, solverTimesteps(this.config, request.numInferenceSteps, end))
    return { timesteps, sigmas: [...sigmas, this.lowestSigma(sigmas)] }
  }

  protected override reset(): void {
    this.history.clear()
    this.last = undefined
  }

  /** Diffusers takes the training's noise level here, not the run's. */
  protected override noiseLevel(timestep: number): NoiseLevel {
    return levelOfSigma(this.trainingSigmas[timestep])
  }

  protected override advance(output: Tensor, timestep: number, sample: Tensor, options: StepOptions): StepResult {
    const { predictorOrder, correctorOrder, lowerOrderFinal } = this.config
    const index = this.indexOf(timestep)
    const level = this.levelAt(index)
    const converted = this.integratesSample ? this.toSample(output, sample, level) : this.toNoise(output, sample, level)
    const corrected = this.last ? this.correct(index, this.last, converted) : sample
    this.history.push(converted)

    const noise = this.noise(sample.dims, options)
    const tau = this.tau(timestep)
    const stepsLeft = lowerOrderFinal ? this.timesteps.length - index : Infinity
    const order = Math.min(predictorOrder, stepsLeft, this.history.length)
    this.last = {
      sample: corrected,
      noise,
      tau,
      correctorOrder: Math.min(correctorOrder, stepsLeft + 1, this.history.length + 1),
    }
    const prevSample = this.predict(index, corrected, noise, tau, order)
    return this.integratesSample ? { prevSample, predOriginalSample: converted } : { prevSample }
  }

  /** The SA-Predictor, a stochastic Adams–Bashforth step. */
  private predict(index: number, sample: Tensor, noise: Tensor, tau: number, order: number): Tensor {
    const levels = Array.from({ length: order }, (_, age) => this.levelAt(index - age))
    const segment = { from: levels[0], to: this.levelAt(index + 1), tau }
    return this.integrate(segment, levels, sample, this.history.newest(order), noise)
  }

  /** The SA-Corrector: the step before again, a stochastic Adams–Moulton step with the output at its end. */
  private correct(index: number, { sample, noise, tau, correctorOrder }: LastStep, output: Tensor): Tensor {
    const levels = Array.from({ length: correctorOrder }, (_, age) => this.levelAt(index - age))
    const segment = { from: this.levelAt(index - 1), to: levels[0], tau }
    return this.integrate(segment, levels, sample, [output, ...this.history.newest(correctorOrder - 1)], noise)
  }

  /** The exact solution of the SDE for outputs that are a polynomial in λ through those given: equations 14 and 18. */
  private integrate(
    { from, to, tau }: Segment,
    levels: readonly LogSnrLevel[],
    sample: Tensor,
    outputs: readonly Tensor[],
    noise: Tensor,
  ): Tensor {
    const h = to.lambda - from.lambda
    const rate = 1 + tau ** 2
    const scale = rate * (this.integratesSample ? to.alpha : -to.sigma)
    const nodes = levels.map(({ lambda }) => lambda - to.lambda)
    const weights = exponentialWeights(nodes, this.integratesSample ? rate : -1, h).map((weight) => scale * weight)
    if (!this.integratesSample) {
      const ofNoise = tau * to.sigma * Math.sqrt(Math.expm1(2 * h))
      return linearCombination([to.alpha / from.alpha, ...weights, ofNoise], [sample, ...outputs, noise])
    }
    if (levels.length === 2) {
      // Diffusers' addition of order h³ to the second order, which improves pictures of few steps.
      const remainder = h ** 2 / 2 - (h * rate + Math.expm1(-rate * h)) / rate ** 2
      const shift = (scale * remainder) / (levels[0].lambda - levels[1].lambda)
      weights[0] += shift
      weights[1] -= shift
    }
    const ofSample = Math.exp(-(tau ** 2) * h) * (to.sigma / from.sigma)
    const ofNoise = to.sigma * Math.sqrt(-Math.expm1(-2 * tau ** 2 * h))
    return linearCombination([ofSample, ...weights, ofNoise], [sample, ...outputs, noise])
  }
}
