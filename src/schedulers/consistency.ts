import { AlphaScheduler } from './alpha-scheduler'
import { latentBetaOptions, zeroSnrOptions } from './betas'
import { clippingOptions, thresholdingOptions } from './clipping'
import { type ConfigOf, flag, integer, optional, real } from './config'
import { predictionOptions } from './prediction'
import type { Schedule, ScheduleRequest } from './run'
import { spacingOptions } from './timesteps'

/** The options of the schedulers of distilled models. */
export const consistencyOptions = {
  ...latentBetaOptions,
  ...zeroSnrOptions,
  ...predictionOptions,
  ...clippingOptions,
  clipSample: flag(false),
  ...thresholdingOptions,
  ...spacingOptions('leading'),
  originalInferenceSteps: optional(integer(50, 1), 50),
  setAlphaToOne: flag(true),
  timestepScaling: real(10, 0),
}

/**
 * The family of distilled models: a run's timesteps are some of those that the model was distilled with.
 *
 * `setTimesteps` takes `timesteps`, `strength` and `originalInferenceSteps`.
 */
export abstract class ConsistencyScheduler extends AlphaScheduler<ConfigOf<typeof consistencyOptions>> {
  override readonly scheduleOptions = new Set(['timesteps', 'strength', 'originalInferenceSteps'] as const)

  protected override schedule(request: ScheduleRequest): Schedule {
    const { timesteps, strength = 1, numInferenceSteps: count } = request
    if (!(strength > 0 && strength <= 1)) {
      throw this.invalid(`strength is out of range: got ${strength}, expected above 0 up to 1`)
    }
    const distilled = this.distilledTimesteps(request.originalInferenceSteps, strength)
    if (timesteps) return { timesteps: timesteps.slice(count - Math.min(Math.trunc(count * strength), count)) }
    if (count > distilled.length) {
      throw this.invalid(
        `too many inference steps: got ${count}, expected at most ${distilled.length} ` +
          '(originalInferenceSteps · strength)',
      )
    }
    const share = distilled.length / count
    return { timesteps: Array.from({ length: count }, (_, i) => distilled[Math.floor(i * share)]) }
  }

  /** The timesteps of the distillation, descending. */
  private distilledTimesteps(given: number | undefined, strength: number): number[] {
    const { numTrainTimesteps, originalInferenceSteps } = this.config
    const original = given ?? originalInferenceSteps
    if (original === null) {
      const count = Math.trunc(numTrainTimesteps * strength)
      return Array.from({ length: count }, (_, i) => count - 1 - i)
    }
    if (!Number.isInteger(original) || original < 1 || original > numTrainTimesteps) {
      throw this.invalid(
        `originalInferenceSteps is out of range: got ${original}, expected an integer from 1 to ${numTrainTimesteps}`,
      )
    }
    const ratio = Math.floor(numTrainTimesteps / original)
    const count = Math.trunc(original * strength)
    return Array.from({ length: count }, (_, i) => (count - i) * ratio - 1)
  }
}
