import type { Tensor } from 'onnxruntime-common'
import { linearCombination } from '../core/tensor'
import { type ConfigOf, flag, integer, oneOf } from './config'
import { EdmScheduler, edmOptions } from './edm-scheduler'
import { type DpmAlgorithm, type LogSnrLevel, logSnrLevel, multistepStep } from './exponential-integrator'
import { linspaceFloat32 } from './float32'
import { History, multistepOrder } from './history'
import type { Schedule, ScheduleRequest, StepOptions, StepResult } from './run'

/** The options of DPM-Solver++ for EDM models. */
export const edmMultistepOptions = {
  ...edmOptions,
  solverOrder: integer(2, 1, 3),
  solverType: oneOf(['midpoint', 'heun'], { logrho: 'midpoint', bh1: 'midpoint', bh2: 'midpoint' }),
  lowerOrderFinal: flag(true),
  eulerAtFinal: flag(false),
}

const { fround } = Math

/** DPM-Solver++ as a multistep method for EDM models (https://arxiv.org/abs/2211.01095). */
export abstract class EdmMultistepScheduler<C extends ConfigOf<typeof edmMultistepOptions>> extends EdmScheduler<C> {
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
    const { solverType, solverOrder, lowerOrderFinal, eulerAtFinal, finalSigmasType } = this.config
    const index = this.indexOf(timestep)
    const predOriginalSample = this.toSample(output, sample, this.sigmaAt(index))
    this.history.push(predOriginalSample)

    const count = this.timesteps.length
    const available = Math.min(solverOrder, this.history.length)
    const lowersOrder = lowerOrderFinal && count < 15
    const order = multistepOrder(available, count - index, lowersOrder, eulerAtFinal || finalSigmasType === 'zero')
    const levels = Array.from({ length: order }, (_, age) => this.levelAt(index - age))
    const step = multistepStep(this.algorithm(), solverType, levels, this.levelAt(index + 1))
    const noise = this.freshNoise(sample.dims, index, options)
    const prevSample = linearCombination(
      [step.sample, ...step.outputs, ...noise.map(() => step.noise)],
      [sample, ...this.history.newest(order), ...noise],
    )
    return { prevSample, predOriginalSample }
  }

  /** Which equation is solved. */
  protected abstract algorithm(): DpmAlgorithm

  /** The fresh noise of a step, if it takes any. */
  protected abstract freshNoise(dims: readonly number[], index: number, options: StepOptions): readonly Tensor[]

  /** The sample that a network's output means. */
  protected toSample(output: Tensor, sample: Tensor, sigma: number): Tensor {
    return this.denoise(output, sample, sigma)
  }

  private levelAt(index: number): LogSnrLevel {
    return logSnrLevel({ alpha: 1, sigma: this.sigmaAt(index) })
  }

  /** Noise levels that are even in σ^(1/rho), in float32 as diffusers computes them for these classes. */
  private karrasSigmas(count: number): number[] {
    const { sigmaMin, sigmaMax, rho } = this.config
    const [start, end] = [sigmaMax ** (1 / rho), sigmaMin ** (1 / rho)]
    return [...linspaceFloat32(0, 1, count)].map((t) =>
      fround(fround(fround(start) + fround(t * fround(end - start))) ** rho),
    )
  }
}
