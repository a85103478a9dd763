import type { Tensor } from 'onnxruntime-common'
import { linearCombination } from '../core/tensor'
import { zeroSnrOptions } from './betas'
import { type ConfigOf, flag, integer, numbers, oneOf } from './config'
import type { LogSnrLevel } from './exponential-integrator'
import { History } from './history'
import { LambdaScheduler, lambdaOptions } from './lambda-scheduler'
import { solveLinear } from './polynomials'
import type { Schedule, ScheduleRequest, StepResult } from './run'
import { solverTimesteps, spacingOptions } from './timesteps'

const options = {
  ...lambdaOptions,
  ...zeroSnrOptions,
  ...spacingOptions('linspace'),
  solverOrder: integer(2, 1, 6),
  predictX0: flag(true),
  solverType: oneOf(['bh2', 'bh1'], { midpoint: 'bh2', heun: 'bh2', logrho: 'bh2' }),
  lowerOrderFinal: flag(true),
  disableCorrector: numbers([], 0),
  finalSigmasType: oneOf(['zero', 'sigma_min']),
}

/**
 * UniPC: a multistep predictor, and a corrector that uses the next step's output, so that it costs no network call.
 * Corresponds to diffusers' `UniPCMultistepScheduler`; https://arxiv.org/abs/2302.04867. `disableCorrector` lists the
 * steps whose result is not corrected.
 */
export class UniPCMultistepScheduler extends LambdaScheduler<ConfigOf<typeof options>> {
  static override readonly className = 'UniPCMultistepScheduler'
  static override readonly options = options

  private readonly history = new History(this.config.solverOrder)
  /** Where the last step started, corrected, and its order. */
  private last?: { readonly sample: Tensor; readonly order: number }

  protected override schedule(request: ScheduleRequest): Schedule {
    const { timesteps, sigmas } = this.plan(request, solverTimesteps(this.config, request.numInferenceSteps))
    return { timesteps, sigmas: [...sigmas, this.config.finalSigmasType === 'zero' ? 0 : this.lowestSigma(sigmas)] }
  }

  protected override reset(): void {
    this.history.clear()
    this.last = undefined
  }

  protected override advance(modelOutput: Tensor, timestep: number, sample: Tensor): StepResult {
    const { predictX0, solverOrder, lowerOrderFinal, disableCorrector } = this.config
    const index = this.indexOf(timestep)
    const level = this.levelAt(index)
    const output = predictX0 ? this.toSample(modelOutput, sample, level) : this.toNoise(modelOutput, sample, level)
    const corrects = this.last !== undefined && !disableCorrector.includes(index - 1)
    const corrected = corrects && this.last ? this.correct(index, this.last, output) : sample
    this.history.push(output)

    const stepsLeft = this.timesteps.length - index
    const to = this.levelAt(index + 1)
    const wanted = lowerOrderFinal ? Math.min(solverOrder, stepsLeft) : solverOrder
    // Where no noise is left λ is infinite, and where none is taken away it stands still: the first order has a limit.
    const order = to.sigma === 0 || to.sigma === level.sigma ? 1 : Math.min(wanted, this.history.length)
    this.last = { sample: corrected, order }
    const prevSample = this.predict(index, corrected, order)
    return predictX0 ? { prevSample, predOriginalSample: output } : { prevSample }
  }

  /** UniP: from a step's start to its end by the outputs up to its start. */
  private predict(index: number, sample: Tensor, order: number): Tensor {
    const levels = Array.from({ length: order }, (_, age) => this.levelAt(index - age))
    const to = this.levelAt(index + 1)
    const nodes = this.relativeNodes(to, levels)
    const { matrix, rightSide } = this.conditions(to, levels[0], [...nodes, 1])
    const weights =
      order === 2
        ? [0.5]
        : solveLinear(
            matrix.slice(0, -1).map((row) => row.slice(0, -1)),
            rightSide.slice(0, -1),
          )
    return this.combine(to, levels[0], sample, this.history.newest(order), nodes, weights)
  }

  /** UniC: the step before again, now that the output at its end is known. */
  private correct(index: number, { sample, order }: { sample: Tensor; order: number }, output: Tensor): Tensor {
    const levels = Array.from({ length: order }, (_, age) => this.levelAt(index - 1 - age))
    const to = this.levelAt(index)
    const nodes = [...this.relativeNodes(to, levels), 1]
    const { matrix, rightSide } = this.conditions(to, levels[0], nodes)
    const weights = order === 1 ? [0.5] : solveLinear(matrix, rightSide)
    return this.combine(to, levels[0], sample, [...this.history.newest(order), output], nodes, weights)
  }

  /** Where the older outputs lie on λ, in units of the step. */
  private relativeNodes(to: LogSnrLevel, [from, ...older]: readonly LogSnrLevel[]): number[] {
    return older.map(({ lambda }) => (lambda - from.lambda) / (to.lambda - from.lambda))
  }

  /** The order conditions of equation 5: node^(i − 1) · weights = φ_(i+1)(h) · i! / B(h). */
  private conditions(to: LogSnrLevel, from: LogSnrLevel, nodes: readonly number[]) {
    const h = (this.config.predictX0 ? -1 : 1) * (to.lambda - from.lambda)
    const matrix: number[][] = []
    const rightSide: number[] = []
    let factorial = 1
    let phi = Math.expm1(h) / h - 1
    for (let i = 1; i <= nodes.length; i++) {
      matrix.push(nodes.map((node) => node ** (i - 1)))
      rightSide.push((phi * factorial) / (this.config.solverType === 'bh1' ? h : Math.expm1(h)))
      factorial *= i + 1
      phi = phi / h - 1 / factorial
    }
    return { matrix, rightSide }
  }

  /** The exponential integrator's first order, and B(h) · Σ weights · differences of the outputs to the newest. */
  private combine(
    to: LogSnrLevel,
    from: LogSnrLevel,
    sample: Tensor,
    [newest, ...others]: readonly Tensor[],
    nodes: readonly number[],
    weights: readonly number[],
  ): Tensor {
    const { predictX0, solverType } = this.config
    const h = (predictX0 ? -1 : 1) * (to.lambda - from.lambda)
    const ofSample = predictX0 ? to.sigma / from.sigma : to.alpha / from.alpha
    const scale = predictX0 ? to.alpha : to.sigma
    // σ(e^h − 1) written so that it has its limit where no noise is left.
    const first = predictX0 ? to.alpha * Math.expm1(h) : (to.alpha * from.sigma) / from.alpha - to.sigma
    const ofDifferences = solverType === 'bh1' ? scale * h : first
    const differences = others.map((_, k) => (-ofDifferences * weights[k]) / nodes[k])
    const ofNewest = -first - differences.reduce((sum, weight) => sum + weight, 0)
    return linearCombination([ofSample, ofNewest, ...differences], [sample, newest, ...others])
  }
}
