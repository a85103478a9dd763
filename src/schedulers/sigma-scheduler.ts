import type { Tensor } from 'onnxruntime-common'
import { linearCombination } from '../core/tensor'
import { type BetaConfig, positiveAlphasCumprod } from './betas'
import { logFloat32 } from './float32'
import { levelOfSigma, type NoiseLevel, type PredictionType, sampleWeights } from './prediction'
import type { Schedule, ScheduleRequest } from './run'
import { Scheduler } from './scheduler'
import { interpolate, scheduledSigmas, sigmaScheduleOf, sigmaToTimestep, trainingSigmas } from './sigmas'
import { type SpacingConfig, spacedTimesteps } from './timesteps'

/** The options of the family: those that every class has, and those that some of its classes have. */
export type SigmaConfig = BetaConfig &
  SpacingConfig & {
    readonly predictionType: PredictionType
    readonly useKarrasSigmas?: boolean
    readonly useExponentialSigmas?: boolean
    readonly useBetaSigmas?: boolean
    readonly sigmaMin?: number | null
    readonly sigmaMax?: number | null
  }

/**
 * The family of k-diffusion's samplers: a sample is x₀ + σ·ε, its variance grows with the noise, and the network sees
 * it scaled down (https://arxiv.org/abs/2206.00364).
 */
export abstract class SigmaScheduler<C extends SigmaConfig> extends Scheduler<C> {
  /** σ of every training timestep, ascending. */
  protected readonly trainingSigmas = trainingSigmas(positiveAlphasCumprod(this.config))
  /** The schedule that replaces the sigmas of the timesteps, if any. */
  protected readonly sigmaSchedule = sigmaScheduleOf(this.config)
  private logSigmas?: Float32Array

  override get initNoiseSigma(): number {
    const max = (this.sigmas ?? this.trainingSigmas).reduce((largest, sigma) => Math.max(largest, sigma), 0)
    return Math.fround(this.config.timestepSpacing === 'leading' ? Math.sqrt(max ** 2 + 1) : max)
  }

  override scaleModelInput(sample: Tensor, timestep: number): Tensor {
    const sigma = this.inputSigma(this.indexOf(timestep))
    return linearCombination([1 / Math.sqrt(sigma ** 2 + 1)], [sample])
  }

  protected override noiseLevel(timestep: number): NoiseLevel {
    return { alpha: 1, sigma: this.sigmaAt(this.noiseIndexOf(timestep)) }
  }

  /** The noise level of a step; one past the last step is that of the result. */
  protected sigmaAt(index: number): number {
    return this.sigmas?.[index] ?? 0
  }

  /** The noise level of the sample that a step begins with. */
  protected inputSigma(index: number): number {
    return this.sigmaAt(index)
  }

  /** The picture that a network's output means for a sample x₀ + σ·ε. */
  protected denoise(modelOutput: Tensor, sample: Tensor, sigma: number): Tensor {
    const level = levelOfSigma(sigma)
    const [ofSample, ofOutput] = sampleWeights(this.config.predictionType, level)
    return linearCombination([ofSample * level.alpha, ofOutput], [sample, modelOutput])
  }

  /** The fractional training timestep of a noise level; `round` as in `sigmaToTimestep`. */
  protected timestepOf(sigma: number, round?: (value: number) => number): number {
    this.logSigmas ??= this.trainingSigmas.map(logFloat32)
    return sigmaToTimestep(sigma, this.logSigmas, round)
  }

  /** The noise levels of timesteps, which may lie between those of the training. */
  protected sigmasOf(timesteps: readonly number[]): number[] {
    return timesteps.map((timestep) => interpolate(this.trainingSigmas, timestep))
  }

  /**
   * The steps of a run, without the sigma of the result.
   *
   * @throws InvalidArgumentError if timesteps are given and a schedule replaces theirs.
   */
  protected plan({ numInferenceSteps, timesteps }: ScheduleRequest): Required<Schedule> {
    const { sigmaSchedule } = this
    const { sigmaMin, sigmaMax } = this.config
    if (timesteps && sigmaSchedule) {
      throw this.invalid(`timesteps can't be chosen: got them with ${sigmaSchedule} sigmas`)
    }
    const spaced = (timesteps ?? spacedTimesteps(this.config, numInferenceSteps)).map(Math.fround)
    const sigmas = this.sigmasOf(spaced)
    if (sigmaSchedule === undefined || sigmaSchedule === 'flow') return { timesteps: spaced, sigmas }
    const [min, max] = [sigmaMin ?? sigmas[sigmas.length - 1], sigmaMax ?? sigmas[0]]
    const chosen = scheduledSigmas(sigmaSchedule, numInferenceSteps, min, max)
    return { timesteps: chosen.map((sigma) => this.timestepOf(sigma)), sigmas: chosen }
  }
}
