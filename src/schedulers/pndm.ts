import type { Tensor } from 'onnxruntime-common'
import { linearCombination } from '../core/tensor'
import { adamsBashforth } from './adams-bashforth'
import { AlphaScheduler } from './alpha-scheduler'
import { betaOptions } from './betas'
import { type ConfigOf, flag } from './config'
import { History } from './history'
import { levelOfAlphaCumprod, noiseWeights, predictionOptions } from './prediction'
import type { Schedule, ScheduleRequest, StepResult } from './run'
import { roundHalfEven, spacedTimesteps, spacingOptions, stepRatio } from './timesteps'

const options = {
  ...betaOptions,
  ...spacingOptions('leading'),
  skipPrkSteps: flag(false),
  setAlphaToOne: flag(false),
  ...predictionOptions,
}

/** The weights of the four slopes of a classical Runge–Kutta step. */
const RUNGE_KUTTA = [1 / 6, 1 / 3, 1 / 3, 1 / 6]

/**
 * Pseudo numerical methods for diffusion models: a linear multistep method on DDIM's path, started by three
 * Runge–Kutta steps of four network calls or, with `skipPrkSteps`, by one improved Euler step (then also called PLMS).
 * Corresponds to diffusers' `PNDMScheduler`; https://arxiv.org/abs/2202.09778.
 */
export class PNDMScheduler extends AlphaScheduler<ConfigOf<typeof options>> {
  static override readonly className = 'PNDMScheduler'
  static override readonly options = options

  private readonly finalAlphaCumprod = this.config.setAlphaToOne ? 1 : this.alphasCumprod[0]
  private readonly history = new History(4)
  private counter = 0
  private prkTimesteps: readonly number[] = []
  /** The sample that several network calls of one step start from. */
  private stepSample?: Tensor
  /** The weighted slopes of the Runge–Kutta step that is under way. */
  private slope?: Tensor

  protected override schedule({ numInferenceSteps }: ScheduleRequest): Schedule {
    const { skipPrkSteps, numTrainTimesteps } = this.config
    const timesteps = spacedTimesteps(this.config, numInferenceSteps).map(roundHalfEven)
    if (skipPrkSteps) {
      this.prkTimesteps = []
      return { timesteps: [timesteps[0], ...timesteps.slice(1, 2), ...timesteps.slice(1)] }
    }
    if (numInferenceSteps < 4) {
      throw this.invalid(
        `too few inference steps to start with Runge–Kutta: got ${numInferenceSteps}, expected 4 or more, or skipPrkSteps`,
      )
    }
    const half = Math.floor(stepRatio(this.name, numTrainTimesteps, numInferenceSteps) / 2)
    // A step to `next` calls the network at its start, twice halfway, and at its end.
    this.prkTimesteps = timesteps.slice(1, 4).flatMap((next, i) => [timesteps[i], next + half, next + half, next])
    return { timesteps: [...this.prkTimesteps, ...timesteps.slice(3)] }
  }

  protected override reset(): void {
    this.history.clear()
    this.counter = 0
    this.stepSample = undefined
    this.slope = undefined
  }

  protected override advance(modelOutput: Tensor, timestep: number, sample: Tensor): StepResult {
    const prk = this.counter < this.prkTimesteps.length
    const prevSample = prk
      ? this.rungeKutta(modelOutput, timestep, sample)
      : this.linearMultistep(modelOutput, timestep, sample)
    this.counter++
    return { prevSample }
  }

  override setBeginIndex(index: number): void {
    if (index > 0 && this.prkTimesteps.length > 0) {
      throw this.invalid(`a run can't begin within its Runge–Kutta steps: got ${index}, expected 0, or skipPrkSteps`)
    }
    super.setBeginIndex(index)
  }

  /** One of the four network calls of a Runge–Kutta step; each gives the sample that the next one looks at. */
  private rungeKutta(modelOutput: Tensor, timestep: number, sample: Tensor): Tensor {
    const stage = this.counter % 4
    const from = this.prkTimesteps[this.counter - stage]
    const half = Math.floor(this.stepSize() / 2)
    const weight = RUNGE_KUTTA[stage]
    if (stage === 0) {
      this.history.push(modelOutput)
      this.stepSample = sample
    }
    this.slope = this.slope
      ? linearCombination([1, weight], [this.slope, modelOutput])
      : linearCombination([weight], [modelOutput])
    const output = stage === 3 ? this.slope : modelOutput
    if (stage === 3) this.slope = undefined
    return this.transfer(this.stepSample ?? sample, output, from, stage % 2 === 0 ? timestep - half : timestep)
  }

  private linearMultistep(modelOutput: Tensor, timestep: number, sample: Tensor): Tensor {
    if (this.counter === 1) {
      // The second call looks at the end of the first step, which is then done again with the mean of both outputs.
      const mean = linearCombination([0.5, 0.5], [modelOutput, this.history.at(0)])
      return this.transfer(this.stepSample ?? sample, mean, timestep + this.stepSize(), timestep)
    }
    this.history.push(modelOutput)
    if (this.counter === 0) this.stepSample = sample
    return this.transfer(sample, adamsBashforth(this.history), timestep, timestep - this.stepSize())
  }

  private stepSize(): number {
    return stepRatio(this.name, this.config.numTrainTimesteps, this.numInferenceSteps)
  }

  /** The sample moved along DDIM's path from one timestep to another by a given noise: equation 9. */
  private transfer(sample: Tensor, modelOutput: Tensor, from: number, to: number): Tensor {
    const alpha = this.alphaCumprod(from)
    const next = to >= 0 ? this.alphaCumprod(to) : this.finalAlphaCumprod
    const [ofSample, ofOutput] = noiseWeights(this.config.predictionType, levelOfAlphaCumprod(alpha))
    const ofNoise = -(next - alpha) / (alpha * Math.sqrt(1 - next) + Math.sqrt(alpha * (1 - alpha) * next))
    return linearCombination([Math.sqrt(next / alpha) + ofNoise * ofSample, ofNoise * ofOutput], [sample, modelOutput])
  }
}
