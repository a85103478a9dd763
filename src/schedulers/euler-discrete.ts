import type { Tensor } from 'onnxruntime-common'
import { linearCombination } from '../core/tensor'
import { betaOptions, zeroSnrOptions } from './betas'
import { type ConfigOf, oneOf } from './config'
import { eulerStep } from './euler-step'
import { linspaceFloat32, logFloat32 } from './float32'
import { levelOfSigma, sampleWeights } from './prediction'
import type { Schedule, ScheduleRequest, StepOptions, StepResult } from './run'
import { SigmaScheduler } from './sigma-scheduler'
import { scheduledSigmas, sigmaRangeOptions, sigmaScheduleOf, sigmaScheduleOptions, sigmaToTimestep } from './sigmas'
import { spacedTimesteps, spacingOptions } from './timesteps'

const options = {
  ...betaOptions,
  ...zeroSnrOptions,
  ...sigmaScheduleOptions,
  ...sigmaRangeOptions,
  ...spacingOptions('linspace'),
  predictionType: oneOf(['epsilon', 'sample', 'v_prediction'], { original_sample: 'sample' }),
  interpolationType: oneOf(['linear', 'log_linear']),
  timestepType: oneOf(['discrete', 'continuous']),
  finalSigmasType: oneOf(['zero', 'sigma_min']),
}

/**
 * Euler's method on the probability flow ODE, optionally with noise added before each step ("churn"). Corresponds to
 * diffusers' `EulerDiscreteScheduler`; algorithm 2 of https://arxiv.org/abs/2206.00364 without its second-order
 * correction.
 *
 * Steps take `sChurn`, `sTmin`, `sTmax`, `sNoise` and `generator` (needed for a churn above 0); `setTimesteps` takes
 * `timesteps`, and `sigmas` of which the last is that of the result, usually 0.
 */
export class EulerDiscreteScheduler extends SigmaScheduler<ConfigOf<typeof options>> {
  static override readonly className = 'EulerDiscreteScheduler'
  static override readonly options = options
  override readonly stepOptions = new Set(['sChurn', 'sTmin', 'sTmax', 'sNoise', 'generator', 'varianceNoise'] as const)
  override readonly scheduleOptions = new Set(['timesteps', 'sigmas'] as const)

  private readonly sigmaSchedule = sigmaScheduleOf(this.config)
  /** The network sees log σ / 4 instead of a training timestep (EDM models with v prediction). */
  private readonly seesSigma =
    this.config.timestepType === 'continuous' && this.config.predictionType === 'v_prediction'

  protected override schedule(request: ScheduleRequest): Schedule {
    const sigmas = request.sigmas ?? [...this.runSigmas(request), this.finalSigma()]
    return { sigmas, timesteps: this.runTimesteps(request, sigmas).map(Math.fround) }
  }

  protected override advance(
    modelOutput: Tensor,
    timestep: number,
    sample: Tensor,
    { sChurn = 0, sTmin = 0, sTmax = Infinity, sNoise = 1, ...noiseSource }: StepOptions,
  ): StepResult {
    const index = this.indexOf(timestep)
    const sigma = this.sigmaAt(index)
    const gamma = sTmin <= sigma && sigma <= sTmax ? Math.min(sChurn / this.timesteps.length, Math.SQRT2 - 1) : 0
    const sigmaHat = sigma * (1 + gamma)
    const noisy =
      gamma > 0
        ? linearCombination(
            [1, sNoise * Math.sqrt(sigmaHat ** 2 - sigma ** 2)],
            [sample, this.noise(sample.dims, noiseSource)],
          )
        : sample
    const { predictionType } = this.config
    // Diffusers raises sigma by the churn for epsilon prediction only.
    const level = levelOfSigma(predictionType === 'epsilon' ? sigmaHat : sigma)
    const [ofSample, ofOutput] = sampleWeights(predictionType, level)
    const predOriginalSample = linearCombination([ofSample * level.alpha, ofOutput], [noisy, modelOutput])
    return { prevSample: eulerStep(noisy, predOriginalSample, sigmaHat, this.sigmaAt(index + 1)), predOriginalSample }
  }

  private finalSigma(): number {
    return this.config.finalSigmasType === 'zero' ? 0 : this.trainingSigmas[0]
  }

  private runSigmas({ numInferenceSteps, timesteps }: ScheduleRequest): number[] {
    if (timesteps && (this.sigmaSchedule || this.seesSigma)) {
      throw this.invalid(`timesteps can't be chosen: got them with ${this.sigmaSchedule ?? 'continuous'} sigmas`)
    }
    const spaced = (timesteps ?? spacedTimesteps(this.config, numInferenceSteps)).map(Math.fround)
    const sigmas =
      this.config.interpolationType === 'linear'
        ? spaced.map((timestep) => this.interpolatedSigma(timestep))
        : this.logLinearSigmas(numInferenceSteps)
    if (this.sigmaSchedule === undefined || this.sigmaSchedule === 'flow') return sigmas
    const { sigmaMin, sigmaMax } = this.config
    const [min, max] = [sigmaMin ?? sigmas[sigmas.length - 1], sigmaMax ?? sigmas[0]]
    return scheduledSigmas(this.sigmaSchedule, numInferenceSteps, min, max)
  }

  private logLinearSigmas(count: number): number[] {
    const logs = this.trainingSigmas.map(logFloat32)
    return [...linspaceFloat32(logs[logs.length - 1], logs[0], count + 1).map(Math.exp)]
  }

  private runTimesteps({ numInferenceSteps, timesteps, sigmas: given }: ScheduleRequest, sigmas: readonly number[]) {
    const steps = given ? given.slice(0, -1) : sigmas.slice(0, numInferenceSteps)
    if (this.seesSigma) return steps.map((sigma) => 0.25 * Math.fround(Math.log(Math.fround(sigma))))
    if (!given && !this.sigmaSchedule) return timesteps ?? spacedTimesteps(this.config, numInferenceSteps)
    const logSigmas = this.trainingSigmas.map(logFloat32)
    return steps.map((sigma) => sigmaToTimestep(sigma, logSigmas))
  }
}
