import type { Tensor } from 'onnxruntime-common'
import { linearCombination } from '../core/tensor'
import { type BetaConfig, positiveAlphasCumprod } from './betas'
import { restrain } from './clipping'
import { type LogSnrLevel, logSnrLevel, logSnrOfSigma } from './exponential-integrator'
import { logFloat32 } from './float32'
import { type NoiseLevel, noiseWeights, type PredictionType, sampleWeights } from './prediction'
import type { Schedule, ScheduleRequest } from './run'
import { Scheduler } from './scheduler'
import {
  flowSigmas,
  interpolate,
  type SigmaSchedule,
  scheduledSigmas,
  sigmaScheduleOf,
  sigmaToTimestep,
  trainingSigmas,
} from './sigmas'
import { roundHalfEven } from './timesteps'

/** The options that every class of the family has. */
export type LambdaConfig = BetaConfig & {
  readonly predictionType: PredictionType
  readonly thresholding: boolean
  readonly dynamicThresholdingRatio: number
  readonly sampleMaxValue: number
  readonly useKarrasSigmas: boolean
  readonly useExponentialSigmas: boolean
  readonly useBetaSigmas: boolean
  readonly useLuLambdas?: boolean
  readonly useFlowSigmas: boolean
  readonly flowShift: number
  readonly sigmaMin: number | null
  readonly sigmaMax: number | null
  readonly useDynamicShifting: boolean
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

  /** The level of a step; one past the last step is that of the result. */
  protected levelAt(index: number): LogSnrLevel {
    const sigma = this.sigmas?.[index] ?? 0
    return this.config.useFlowSigmas ? logSnrLevel({ alpha: 1 - sigma, sigma }) : logSnrOfSigma(sigma)
  }

  protected override noiseLevel(timestep: number): NoiseLevel {
    return this.levelAt(this.noiseIndexOf(timestep))
  }

  /** The sample that a network's output means, thresholded if the config asks for it. */
  protected toSample(modelOutput: Tensor, sample: Tensor, level: NoiseLevel): Tensor {
    const weights = sampleWeights(this.config.predictionType, level)
    return restrain(linearCombination(weights, [sample, modelOutput]), this.config)
  }

  /** The noise that a network's output means; that of the thresholded sample if the config asks for it. */
  protected toNoise(modelOutput: Tensor, sample: Tensor, level: NoiseLevel): Tensor {
    const { predictionType, thresholding } = this.config
    return thresholding
      ? linearCombination(noiseWeights('sample', level), [sample, this.toSample(modelOutput, sample, level)])
      : linearCombination(noiseWeights(predictionType, level), [sample, modelOutput])
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
    const { betaSchedule, sigmaMin, sigmaMax } = this.config
    const all = this.trainingSigmas
    const sigmas = scheduledSigmas(schedule, count, sigmaMin ?? all[0], sigmaMax ?? all[all.length - 1])
    const logSigmas = all.map(logFloat32)
    const rounded = (schedule === 'karras' || schedule === 'lu') && betaSchedule !== 'squaredcos_cap_v2'
    const toTimestep = rounded ? roundHalfEven : Math.trunc
    return { sigmas, timesteps: sigmas.map((sigma) => toTimestep(sigmaToTimestep(sigma, logSigmas))) }
  }
}
