import type { Tensor } from 'onnxruntime-common'
import { InvalidArgumentError } from '../core/errors'
import type { Generator } from '../core/generator'

/** How `setTimesteps` may be told which steps to take; which of these a class takes is its `scheduleOptions`. */
export interface ScheduleOptions {
  /** The timesteps themselves, descending, in place of a number of steps. */
  readonly timesteps?: readonly number[]
  /** The noise levels themselves, descending, in place of a number of steps. */
  readonly sigmas?: readonly number[]
  /** The shift towards noise, for models with `useDynamicShifting`: its logarithm unless `timeShiftType` is linear. */
  readonly mu?: number
  /** The share of the run that remains to be done, from above 0 to 1; consistency models choose their steps by it. */
  readonly strength?: number
  /** The number of steps that a consistency model was distilled with. */
  readonly originalInferenceSteps?: number
  /** How many steps an inpainting run goes back at once, to harmonise what it painted with what was there. */
  readonly jumpLength?: number
  /** How often it takes the steps between two such places. */
  readonly jumpNSample?: number
}

/** What `step` may be told; which of these a class takes is its `stepOptions`. */
export interface StepOptions {
  /** The source of fresh noise: one, or one for each item of the batch. */
  readonly generator?: Generator | readonly Generator[]
  /** The fresh noise itself, of the sample's shape, in place of a generator. */
  readonly varianceNoise?: Tensor
  /** The share of fresh noise, 0 (none) to 1. */
  readonly eta?: number
  /** Derives the noise again from the clipped sample. */
  readonly useClippedModelOutput?: boolean
  /** How much noise to add before a step (https://arxiv.org/abs/2206.00364, algorithm 2). */
  readonly sChurn?: number
  /** The lowest sigma at which noise is added. */
  readonly sTmin?: number
  /** The highest sigma at which noise is added. */
  readonly sTmax?: number
  /** A factor of the added noise. */
  readonly sNoise?: number
  /** How many outputs a linear multistep method uses. */
  readonly order?: number
  /** The picture whose known part stays, of the sample's shape. */
  readonly originalImage?: Tensor
  /** 1 where `originalImage` is known, 0 where it is to be painted; of the sample's shape, or 1 instead of a dimension. */
  readonly mask?: Tensor
}

/** What a step gives. */
export interface StepResult {
  /** The sample at the next, lower noise level. */
  readonly prevSample: Tensor
  /** The picture that the step expects at the end, where the method computes it: good for previews. */
  readonly predOriginalSample?: Tensor
}

/** The steps that a run takes. */
export interface Schedule {
  readonly timesteps: readonly number[]
  /** The noise level of every step and, last, of the result. */
  readonly sigmas?: readonly number[]
}

/** What a schedule is made from: `setTimesteps`' arguments, checked. `numInferenceSteps` is known unless sigmas are. */
export interface ScheduleRequest extends ScheduleOptions {
  readonly numInferenceSteps: number
}

/**
 * `setTimesteps`' arguments as a request.
 *
 * @param name - The class, for errors.
 * @param known - The options that the class takes.
 * @throws InvalidArgumentError if a value is out of range, or an option not one of the class's.
 */
export function checkScheduleRequest(
  name: string,
  known: ReadonlySet<string>,
  numInferenceSteps: number | undefined,
  options: ScheduleOptions,
): ScheduleRequest {
  checkKnown(name, 'setTimesteps', options, known)
  const { timesteps, sigmas } = options
  if (timesteps && sigmas) {
    throw new InvalidArgumentError(name, 'two schedules: got timesteps and sigmas, expected one of them')
  }
  const custom = timesteps ?? sigmas
  if (custom === undefined) {
    if (numInferenceSteps !== undefined && Number.isInteger(numInferenceSteps) && numInferenceSteps >= 1) {
      return { ...options, numInferenceSteps }
    }
    const expected = 'expected an integer of 1 or more'
    throw new InvalidArgumentError(name, `wrong number of inference steps: got ${numInferenceSteps}, ${expected}`)
  }
  if (numInferenceSteps !== undefined) {
    throw new InvalidArgumentError(name, 'two schedules: got numInferenceSteps and custom steps, expected one of them')
  }
  const descends = custom.every((value, i) => value >= 0 && (i === 0 || value < custom[i - 1]))
  if (custom.length === 0 || !descends || custom[0] === Infinity) {
    const got = `[${custom.join(', ')}]`
    throw new InvalidArgumentError(
      name,
      `not a schedule: got ${got}, expected numbers of 0 or more, each below the last`,
    )
  }
  return { ...options, numInferenceSteps: custom.length }
}

/**
 * Checks `step`'s options; a generator is no error where none is needed.
 *
 * @param name - The class, for errors.
 * @param known - The options that the class takes.
 * @throws InvalidArgumentError if an option is not one of the class's, or a number out of range.
 */
export function checkStepOptions(name: string, known: ReadonlySet<string>, options: StepOptions): void {
  const { generator: _, ...others } = options
  checkKnown(name, 'step', others, known)
  for (const [key, value] of Object.entries(others)) {
    if (typeof value !== 'number') continue
    const maximum = key === 'eta' ? 1 : Infinity
    if (value >= 0 && value <= maximum) continue
    const expected = key === 'eta' ? '0 to 1' : '0 or more'
    throw new InvalidArgumentError(name, `${key} is out of range: got ${value}, expected ${expected}`)
  }
}

function checkKnown(name: string, method: string, options: object, known: ReadonlySet<string>): void {
  const unknown = Object.entries(options).find(([key, value]) => value !== undefined && !known.has(key))
  if (unknown === undefined) return
  const expected = known.size > 0 ? [...known].join(', ') : 'none'
  throw new InvalidArgumentError(name, `${method}() does not take this option: got ${unknown[0]}, expected ${expected}`)
}
