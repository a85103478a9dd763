import type { Tensor } from 'onnxruntime-common'
import { linearCombination } from '../core/tensor'
import { restrain, thresholdingOptions } from './clipping'
import { type ConfigOf, flag, integer, oneOf } from './config'
import { EdmScheduler, edmOptions } from './edm-scheduler'
import { exponentialStep, logSnrLevel, multistepDerivatives, outputWeights } from './exponential-integrator'
import { linspaceFloat32 } from './float32'
import { History, multistepOrder } from './history'
import type { Schedule, ScheduleRequest, StepOptions, StepResult } from './run'

const options = {
  ...edmOptions,
  ...thresholdingOptions,
  solverOrder: integer(2, 1, 3),
  algorithmType: oneOf(['dpmsolver++', 'sde-dpmsolver++'], { deis: 'dpmsolver++' }),
  solverType: oneOf(['midpoint', 'heun'], { logrho: 'midpoint', bh1: 'midpoint', bh2: 'midpoint' }),
  lowerOrderFinal: flag(true),
  eulerAtFinal: flag(false),
}

const { fround } = Math

/**
 * DPM-Solver++ of order 1 to 3 as a multistep method for EDM models, for the ODE and the SDE. Corresponds to diffusers'
 * `EDMDPMSolverMultistepScheduler`; https://arxiv.org/abs/2211.01095 in the terms of https://arxiv.org/abs/2206.00364.
 *
 * With `sde-dpmsolver++` every step draws noise: it takes `generator` or `varianceNoise`.
 */
export class EDMDPMSolverMultistepScheduler extends EdmScheduler<ConfigOf<typeof options>> {
  static override readonly className = 'EDMDPMSolverMultistepScheduler'
  static override readonly options = options
  override readonly stepOptions = new Set(['generator', 'varianceNoise'] as const)

  private readonly history = new History(this.config.solverOrder)

  protected override schedule({ numInferenceSteps: count }: ScheduleRequest): Schedule {
    const { sigmaSchedule, finalSigmasType, sigmaMin } = this.config
    const sigmas = sigmaSchedule === 'karras' ? this.karrasSigmas(count) : this.exponentialSigmas(count)
    return {
      timesteps: sigmas.map((sigma) => this.timestepOf(sigma)),
      sigmas: [...sigmas, finalSigmasType === 'zero' ? 0 : sigmaMin],
    }
  }

  protected override reset(): void {
    this.history.clear()
  }

  protected override advance(output: Tensor, timestep: number, sample: Tensor, options: StepOptions): StepResult {
    const { algorithmType, solverType, solverOrder, lowerOrderFinal, eulerAtFinal, finalSigmasType } = this.config
    const index = this.indexOf(timestep)
    const predOriginalSample = restrain(this.denoise(output, sample, this.sigmaAt(index)), this.config)
    this.history.push(predOriginalSample)

    const count = this.timesteps.length
    const available = Math.min(solverOrder, this.history.length)
    const lowersOrder = lowerOrderFinal && count < 15
    const order = multistepOrder(available, count - index, lowersOrder, eulerAtFinal || finalSigmasType === 'zero')
    const to = this.levelAt(index + 1)
    const levels = Array.from({ length: order }, (_, age) => this.levelAt(index - age))
    const step = exponentialStep(algorithmType, solverType, order, levels[0], to)
    const weights = outputWeights(step.derivatives, multistepDerivatives(to, levels, order))
    const noise = algorithmType === 'sde-dpmsolver++' ? [this.noise(sample.dims, options)] : []
    const prevSample = linearCombination(
      [step.sample, ...weights, ...noise.map(() => step.noise)],
      [sample, ...this.history.newest(order), ...noise],
    )
    return { prevSample, predOriginalSample }
  }

  private levelAt(index: number) {
    return logSnrLevel({ alpha: 1, sigma: this.sigmaAt(index) })
  }

  /** Noise levels that are even in σ^(1/rho), in float32 as diffusers computes them for this class. */
  private karrasSigmas(count: number): number[] {
    const { sigmaMin, sigmaMax, rho } = this.config
    const [start, end] = [sigmaMax ** (1 / rho), sigmaMin ** (1 / rho)]
    return [...linspaceFloat32(0, 1, count)].map((t) =>
      fround(fround(fround(start) + fround(t * fround(end - start))) ** rho),
    )
  }
}
