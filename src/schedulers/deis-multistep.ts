import type { Tensor } from 'onnxruntime-common'
import { linearCombination } from '../core/tensor'
import { type ConfigOf, flag, integer, oneOf } from './config'
import { History, multistepOrder } from './history'
import { LambdaScheduler, lambdaOptions } from './lambda-scheduler'
import { exponentialWeights } from './polynomials'
import type { Schedule, ScheduleRequest, StepResult } from './run'
import { solverTimesteps, spacingOptions } from './timesteps'

const options = {
  ...lambdaOptions,
  ...spacingOptions('linspace'),
  solverOrder: integer(2, 1, 3),
  algorithmType: oneOf(['deis'], {
    dpmsolver: 'deis',
    'dpmsolver++': 'deis',
    'sde-dpmsolver': 'deis',
    'sde-dpmsolver++': 'deis',
    data_prediction: 'deis',
    noise_prediction: 'deis',
  }),
  solverType: oneOf(['logrho'], { midpoint: 'logrho', heun: 'logrho', bh1: 'logrho', bh2: 'logrho' }),
  lowerOrderFinal: flag(true),
}

/**
 * The diffusion exponential integrator with multistep polynomials in log ρ = −λ. Corresponds to diffusers'
 * `DEISMultistepScheduler`; https://arxiv.org/abs/2204.13902, "log ρAB-DEIS".
 */
export class DEISMultistepScheduler extends LambdaScheduler<ConfigOf<typeof options>> {
  static override readonly className = 'DEISMultistepScheduler'
  static override readonly options = options

  private readonly history = new History(this.config.solverOrder)

  protected override schedule(request: ScheduleRequest): Schedule {
    const { timesteps, sigmas } = this.plan(request, solverTimesteps(this.config, request.numInferenceSteps))
    return { timesteps, sigmas: [...sigmas, this.lowestSigma(sigmas)] }
  }

  protected override reset(): void {
    this.history.clear()
  }

  protected override advance(modelOutput: Tensor, timestep: number, sample: Tensor): StepResult {
    const { solverOrder, lowerOrderFinal } = this.config
    const index = this.indexOf(timestep)
    const count = this.timesteps.length
    const from = this.levelAt(index)
    const to = this.levelAt(index + 1)
    this.history.push(this.toNoise(modelOutput, sample, from))

    const available = Math.min(solverOrder, this.history.length)
    const order = multistepOrder(available, count - index, lowerOrderFinal && count < 15)
    const outputs = this.history.newest(order)
    // x/α changes by the integral of ε over ρ = σ/α = e^(−λ); ε is a polynomial in u = λ − λ_to.
    const nodes = outputs.map((_, age) => this.levelAt(index - age).lambda - to.lambda)
    const weights = exponentialWeights(nodes, -1, to.lambda - from.lambda).map((weight) => -to.sigma * weight)
    return { prevSample: linearCombination([to.alpha / from.alpha, ...weights], [sample, ...outputs]) }
  }
}
