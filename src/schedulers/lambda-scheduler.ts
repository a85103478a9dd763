import type { Tensor } from 'onnxruntime-common'
import { linearCombination } from '../core/tensor'
import { betaOptions, positiveAlphasCumprod } from './betas'
import { restrain, thresholdingOptions } from './clipping'
import type { ConfigOf } from './config'
import { type LogSnrLevel, logSnrLevel, logSnrOfSigma } from './exponential-integrator'
import { logFloat32 } from './float32'
import { anyPredictionOptions, type NoiseLevel, noiseWeights, sampleWeights } from './prediction'
import type { Schedule, ScheduleRequest } from './run'
import { Scheduler } from './scheduler'
import {
  flowSigmaOptions,
  flowSigmas,
  interpolate,
  type SigmaSchedule,
  scheduledSigmas,
  sigmaRangeOptions,
  sigmaScheduleOf,
  sigmaScheduleOptions,
  sigmaToTimestep,
  trainingSigmas,
} from './sigmas'
import { roundHalfEven } from './timesteps'
import { outputDims, splitVariance } from './variance'

/** The options that every class of the family has. */
export const lambdaOptions = {
  ...betaOptions,
  ...anyPredictionOptions,
  ...thresholdingOptions,
  ...sigmaScheduleOptions,
  ...sigmaRangeOptions,
  ...flowSigmaOptions,
}

/** The options of the family, and those that some of its classes have. */
export type LambdaConfig = ConfigOf<typeof lambdaOptions> & {
  readonly rescaleBetasZeroSnr?: boolean
  readonly useLuLambdas?: boolean
  readonly varianceType?: 'learned' | 'learned_range' | null
}

/**
 * The family of DPM-Solver: exponential integrators in λ = log(α/σ). The sample is variance preserving, or that of a
 * flow-matching model with `useFlowSigmas`; the run's sigmas are σ/α, or the flow's time.
 */
export abstract class LambdaScheduler<C extends LambdaConfig> extends Scheduler<C> {
  override readonly scheduleOptions: ReadonlySet<'timesteps' | 'mu'> = new Set(['mu'] as const)
  /** σ/α of every training timestep, ascending. */
  protected readonly trainingSigmas = trainingSigmas(positiveAlphasCumprod(this.config))
  /** The schedule that replaces the sigmas of the timesteps, if any. */
  protected readonly sigmaSchedule: SigmaSchedule | undefined = sigmaScheduleOf(this.config)
  private readonly learnsVariance = (this.config.varianceType ?? null) !== null

  /** The level of a step; one past the last step is that of the result. */
  protected levelAt(index: number): LogSnrLevel {
    const sigma = this.sigmas?.[index] ?? 0
    return this.config.useFlowSigmas ? logSnrLevel({ alpha: 1 - sigma, sigma }) : logSnrOfSigma(sigma)
  }

  protected override noiseLevel(timestep: number): NoiseLevel {
    return this.levelAt(this.noiseIndexOf(timestep))
  }

  protected override outputDims(dims: readonly number[]): readonly number[] {
    return outputDims(dims, this.learnsVariance)
  }

  /** The sample that a network's output means, thresholded if the config asks for it. */
  protected toSample(modelOutput: Tensor, sample: Tensor, level: NoiseLevel): Tensor {
    const weights = sampleWeights(this.config.predictionType, level)
    return restrain(linearCombination(weights, [sample, this.meanOf(modelOutput)]), this.config)
  }

  /** The noise that a network's output means; that of the thresholded sample if the config asks for it. */
  protected toNoise(modelOutput: Tensor, sample: Tensor, level: NoiseLevel): Tensor {
    const { predictionType, thresholding } = this.config
    return thresholding
      ? linearCombination(noiseWeights('sample', level), [sample, this.toSample(modelOutput, sample, level)])
      : linearCombination(noiseWeights(predictionType, level), [sample, this.meanOf(modelOutput)])
  }

  private meanOf(modelOutput: Tensor): Tensor {
    return this.learnsVariance ? splitVariance(modelOutput).mean : modelOutput
  }

  /** The first training timestep, from below, that is too noisy: λ is under the threshold there and above. */
  protected firstClipped(lambdaMinClipped: number): number {
    return this.trainingSigmas.findLastIndex((sigma) => -Math.log(sigma) >= lambdaMinClipped) + 1
  }

  /** The sigma of the result of DPM-Solver where it is not 0: the training's lowest, unless the run is below it. */
  protected trainedSigma(sigmas: readonly number[]): number {
    return Math.min(this.trainingSigmas[0], sigmas[sigmas.length - 1])
  }

  /** The sigma of the result where it is not 0: the training's lowest, or the last one again if it was chosen. */
  protected lowestSigma(sigmas: readonly number[]): number {
    return this.sigmaSchedule ? sigmas[sigmas.length - 1] : this.trainingSigmas[0]
  }

  /**
   * The steps of a run, without the sigma of the result.
   *
   * @param request - What was asked for.
   * @param spaced - The timesteps when no sigma schedule replaces them.
   * @throws InvalidArgumentError if two steps have the same noise level.
   */
  protected plan({ numInferenceSteps, timesteps, mu }: ScheduleRequest, spaced: readonly number[]): Required<Schedule> {
    const { config, sigmaSchedule } = this
    if (mu !== undefined && !config.useDynamicShifting)
      throw this.invalid('mu needs useDynamicShifting: got it without')
    if (timesteps && sigmaSchedule)
      throw this.invalid(`timesteps can't be chosen: got them with ${sigmaSchedule} sigmas`)
    if (sigmaSchedule === 'flow') {
      const shift = mu === undefined ? config.flowShift : Math.exp(mu)
      const sigmas = flowSigmas(numInferenceSteps, config.numTrainTimesteps, shift)
      return { sigmas, timesteps: sigmas.map((sigma) => Math.trunc(sigma * config.numTrainTimesteps)) }
    }
    if (sigmaSchedule) return this.planSigmas(sigmaSchedule, numInferenceSteps)
    const chosen = (timesteps ?? spaced).map(Math.trunc)
    if (chosen.some((timestep, i) => i > 0 && timestep >= chosen[i - 1])) {
      throw this.invalid(`too many inference steps: got ${numInferenceSteps}, of which two fall on one timestep`)
    }
    return { timesteps: chosen, sigmas: chosen.map((timestep) => interpolate(this.trainingSigmas, timestep)) }
  }

  private planSigmas(schedule: Exclude<SigmaSchedule, 'flow'>, count: number): Required<Schedule> {
    const { sigmaMin, sigmaMax } = this.config
    const all = this.trainingSigmas
    const sigmas = scheduledSigmas(schedule, count, sigmaMin ?? all[0], sigmaMax ?? all[all.length - 1])
    const logSigmas = all.map(logFloat32)
    const toTimestep = this.roundsTimesteps(schedule) ? roundHalfEven : Math.trunc
    return { sigmas, timesteps: sigmas.map((sigma) => toTimestep(sigmaToTimestep(sigma, logSigmas))) }
  }

  /** Whether the timesteps of chosen sigmas are rounded; otherwise they are cut, which is diffusers' way. */
  protected roundsTimesteps(schedule: SigmaSchedule): boolean {
    return schedule === 'karras'
  }
}
