import type { Tensor } from 'onnxruntime-common'
import { linearCombination } from '../core/tensor'
import { type ConfigOf, flag, integer, oneOf, optional, positive, real } from './config'
import type { NoiseLevel } from './prediction'
import type { Schedule, ScheduleRequest } from './run'
import { Scheduler } from './scheduler'
import { scheduledSigmas, shiftSigma, sigmaScheduleOf, sigmaScheduleOptions } from './sigmas'
import { linspace } from './timesteps'

/** The options that every class has. */
export const flowOptions = { numTrainTimesteps: integer(1000, 1), shift: positive(1) }

/** The options of the classes that can follow any schedule. */
export const flowScheduleOptions = {
  ...flowOptions,
  useDynamicShifting: flag(false),
  baseShift: optional(real(0.5), 0.5),
  maxShift: optional(real(1.15), 1.15),
  baseImageSeqLen: optional(integer(256, 1), 256),
  maxImageSeqLen: optional(integer(4096, 1), 4096),
  invertSigmas: flag(false),
  shiftTerminal: optional(real(0, 0, 1)),
  ...sigmaScheduleOptions,
  timeShiftType: oneOf(['exponential', 'linear']),
}

/** The options of the family: those that every class has, and those that some of its classes have. */
export type FlowConfig = ConfigOf<typeof flowOptions> & Partial<ConfigOf<typeof flowScheduleOptions>>

/**
 * The family of flow-matching models: a sample is (1 − σ)·x₀ + σ·ε, and the network predicts ε − x₀, the velocity
 * (https://arxiv.org/abs/2210.02747, https://arxiv.org/abs/2403.03206).
 */
export abstract class FlowScheduler<C extends FlowConfig> extends Scheduler<C> {
  private readonly sigmaSchedule = sigmaScheduleOf(this.config)

  protected override noiseLevel(timestep: number): NoiseLevel {
    const sigma = this.sigmaAt(this.noiseIndexOf(timestep))
    return { alpha: 1 - sigma, sigma }
  }

  /** The noise level of a step; one past the last step is that of the result. */
  protected sigmaAt(index: number): number {
    return this.sigmas?.[index] ?? 0
  }

  /** The picture that a network's output means. */
  protected denoise(output: Tensor, sample: Tensor, sigma: number): Tensor {
    return linearCombination([1, -sigma], [sample, output])
  }

  /**
   * The steps of a run, without the sigma of the result.
   *
   * @throws InvalidArgumentError if `mu` is missing with dynamic shifting, or given without it.
   */
  protected plan({ numInferenceSteps: count, timesteps, sigmas: given, mu }: ScheduleRequest): Required<Schedule> {
    const { numTrainTimesteps, useDynamicShifting = false, shiftTerminal, invertSigmas } = this.config
    if (useDynamicShifting !== (mu !== undefined)) {
      throw this.invalid(`mu goes with useDynamicShifting: got mu ${mu} and useDynamicShifting ${useDynamicShifting}`)
    }
    const custom = given ?? timesteps?.map((timestep) => timestep / numTrainTimesteps)
    let sigmas: readonly number[] = (custom ?? this.evenSigmas(count)).map((sigma) => this.shifted(sigma, mu))
    if (shiftTerminal) sigmas = stretchTo(shiftTerminal, sigmas)
    if (this.sigmaSchedule !== undefined && this.sigmaSchedule !== 'flow') {
      sigmas = scheduledSigmas(this.sigmaSchedule, count, sigmas[sigmas.length - 1], sigmas[0])
    }
    sigmas = sigmas.map(Math.fround)
    if (invertSigmas) sigmas = sigmas.map((sigma) => Math.fround(1 - sigma))
    const own = invertSigmas || timesteps === undefined
    return { sigmas, timesteps: (own ? sigmas.map((sigma) => sigma * numTrainTimesteps) : timesteps).map(Math.fround) }
  }

  /** Times from the training's noisiest to its last; diffusers shifts its ends here, and all of them after. */
  private evenSigmas(count: number): number[] {
    const { numTrainTimesteps, shift, useDynamicShifting } = this.config
    const [max, min] = [1, 1 / numTrainTimesteps].map((sigma) =>
      Math.fround(useDynamicShifting ? sigma : shiftSigma(Math.fround(sigma), shift)),
    )
    return linspace(max * numTrainTimesteps, min * numTrainTimesteps, count).map((time) => time / numTrainTimesteps)
  }

  /** A time moved towards noise, as larger pictures need. */
  private shifted(sigma: number, mu: number | undefined): number {
    if (mu === undefined) return shiftSigma(sigma, this.config.shift)
    const shift = this.config.timeShiftType === 'linear' ? mu : Math.exp(mu)
    return shift / (shift + (1 / sigma - 1))
  }
}

/** Times stretched so that the last is `terminal`, and 1 stays; all of them stay if there is only 1. */
function stretchTo(terminal: number, sigmas: readonly number[]): readonly number[] {
  const scale = (1 - sigmas[sigmas.length - 1]) / (1 - terminal)
  return scale === 0 ? sigmas : sigmas.map((sigma) => 1 - (1 - sigma) / scale)
}
