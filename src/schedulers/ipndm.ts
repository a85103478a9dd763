import type { Tensor } from 'onnxruntime-common'
import { linearCombination } from '../core/tensor'
import { adamsBashforth } from './adams-bashforth'
import { type ConfigOf, integer, numbers, optional } from './config'
import { linspaceFloat32 } from './float32'
import { History } from './history'
import { type NoiseLevel, noiseWeights } from './prediction'
import type { Schedule, ScheduleRequest, StepResult } from './run'
import { Scheduler } from './scheduler'

const options = {
  numTrainTimesteps: integer(1000, 1),
  trainedBetas: optional(numbers([], 0, 1)),
}

const { fround } = Math

/**
 * Improved pseudo numerical methods: PNDM's linear multistep of fourth order without its first Runge–Kutta steps, for
 * models that predict v on a cosine schedule with times from 1 to 0. Corresponds to diffusers' `IPNDMScheduler`;
 * https://arxiv.org/abs/2202.09778, formulas 9 and 12.
 *
 * `trainedBetas` are the noise levels of a run's steps and, last, of its result.
 */
export class IPNDMScheduler extends Scheduler<ConfigOf<typeof options>> {
  static override readonly className = 'IPNDMScheduler'
  static override readonly options = options

  private readonly history = new History(4)
  private levels: readonly NoiseLevel[] = []

  protected override schedule({ numInferenceSteps }: ScheduleRequest): Schedule {
    const { trainedBetas } = this.config
    const count = numInferenceSteps + 1
    if (trainedBetas && trainedBetas.length !== count) {
      throw this.invalid(
        `wrong number of inference steps: got ${numInferenceSteps}, expected ${trainedBetas.length - 1}, for ` +
          `${trainedBetas.length} trainedBetas`,
      )
    }
    const sigmas = trainedBetas?.map(fround) ?? [...linspaceFloat32(1, 0, count)].map(cosineSigma)
    this.levels = sigmas.map((sigma) => ({ alpha: fround(Math.sqrt(fround(1 - fround(sigma ** 2)))), sigma }))
    return { timesteps: this.levels.slice(0, -1).map(timeOf) }
  }

  protected override reset(): void {
    this.history.clear()
  }

  protected override noiseLevel(timestep: number): NoiseLevel {
    return this.levels[this.noiseIndexOf(timestep)]
  }

  protected override advance(output: Tensor, timestep: number, sample: Tensor): StepResult {
    const index = this.indexOf(timestep)
    const [from, to] = [this.levels[index], this.levels[index + 1]]
    this.history.push(linearCombination(noiseWeights('v_prediction', from), [sample, output]))
    const noise = adamsBashforth(this.history)
    const ratio = to.alpha / Math.max(from.alpha, 1e-8)
    return { prevSample: linearCombination([ratio, to.sigma - ratio * from.sigma], [sample, noise]) }
  }
}

/** The noise level of a time, rounded where PyTorch rounds. */
function cosineSigma(time: number): number {
  return fround(fround(Math.sin(fround(time * fround(Math.PI)) / 2)) ** 2)
}

/** The angle between signal and noise as a share of a right angle, rounded where PyTorch rounds. */
function timeOf({ alpha, sigma }: NoiseLevel): number {
  return fround(fround(Math.atan(fround(sigma / alpha))) / fround(Math.PI)) * 2
}
