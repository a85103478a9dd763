import type { Tensor } from 'onnxruntime-common'
import { InvalidArgumentError, StateError } from '../core/errors'
import { randnTensor } from '../core/generator'
import { concatBatch, expectDims, linearCombination, sliceBatch } from '../core/tensor'
import { type ConfigRecord, type Options, resolveConfig } from './config'
import type { NoiseLevel } from './prediction'
import {
  checkScheduleRequest,
  checkStepOptions,
  type Schedule,
  type ScheduleOptions,
  type ScheduleRequest,
  type StepOptions,
  type StepResult,
} from './run'

/** A class of schedulers, as `fromConfig` and the registry use it. */
export interface SchedulerClass<S extends Scheduler = Scheduler> {
  readonly className: string
  readonly options: Options
  new (options?: object, base?: object): S
}

const NONE: ReadonlySet<never> = new Set()

/**
 * The sampling algorithm of a diffusion model: which noise levels a run visits, and how a sample goes from one to the
 * next. Corresponds to diffusers' `SchedulerMixin`; every subclass has the name, the options and the numbers of the
 * diffusers class, and takes its `scheduler_config.json`.
 *
 * A run: `setTimesteps`, then for each timestep `scaleModelInput`, the network, `step`. A scheduler holds the state of
 * one run; `clone` gives one for another.
 */
export abstract class Scheduler<C extends ConfigRecord = ConfigRecord> {
  /** The class's name, which a bundler does not change. */
  static readonly className: string = 'Scheduler'
  /** The class's options with their defaults. */
  static readonly options: Options = {}

  /** The options in effect, in camelCase; those of other classes that it was made from wait in `_others`. Frozen. */
  readonly config: C
  /** The timesteps of the run, in the order in which the network is called. Empty before `setTimesteps`. */
  timesteps: number[] = []
  /** The noise level of every step and, last, of the result, for the classes that have them. */
  sigmas?: Float32Array
  /** Network calls a step: a second-order method lists its timesteps twice. */
  readonly order: number = 1
  /** Which of `step`'s options the class takes. `generator` is among them if it may draw noise. */
  readonly stepOptions: ReadonlySet<keyof StepOptions> = NONE
  /** Which of `setTimesteps`' options the class takes. */
  readonly scheduleOptions: ReadonlySet<keyof ScheduleOptions> = NONE

  /** How many steps the run has, as asked for; 0 before `setTimesteps`. */
  protected numInferenceSteps = 0
  private beginIndex?: number
  private stepIndex?: number

  /**
   * @param options - Options of this class; the others have its defaults. In camelCase, snake_case is read too.
   * @param base - A config of any scheduler that applies where `options` say nothing, as in `fromConfig`.
   * @throws InvalidArgumentError that names an unknown, unsupported or contradictory option.
   */
  constructor(options: object = {}, base: object = {}) {
    this.config = resolveConfig(new.target.className, new.target.options, options, base) as ConfigRecord as C
  }

  /**
   * A scheduler of this class from the config of any other, without loss: options that this class does not have are
   * kept in its config, and options that were only defaults there get this class's defaults.
   *
   * @param config - A `scheduler_config.json` (snake_case) or another scheduler's `config`.
   * @param overrides - Options of this class that win over the config, in either case style.
   * @throws InvalidArgumentError that names an unknown, unsupported or contradictory option.
   */
  static fromConfig<S extends Scheduler>(this: SchedulerClass<S>, config: object, overrides: object = {}): S {
    return new this(overrides, config)
  }

  /** The standard deviation of the noise that a run starts from. */
  get initNoiseSigma(): number {
    return 1
  }

  /** Whether `setTimesteps` takes `timesteps`. */
  get supportsCustomTimesteps(): boolean {
    return this.scheduleOptions.has('timesteps')
  }

  /** Whether `setTimesteps` takes `sigmas`. */
  get supportsCustomSigmas(): boolean {
    return this.scheduleOptions.has('sigmas')
  }

  /** A scheduler with the same config and no run: concurrent runs use one each. */
  clone(): this {
    const Class = this.constructor as SchedulerClass<this>
    return new Class({}, this.config)
  }

  /**
   * Plans a run and forgets the one before.
   *
   * @param numInferenceSteps - How many steps, 1 or more; undefined with `timesteps` or `sigmas`.
   * @param options - What the class takes of {@link ScheduleOptions}.
   * @throws InvalidArgumentError if a value is out of range, or an option not one of the class's.
   */
  setTimesteps(numInferenceSteps?: number, options: ScheduleOptions = {}): void {
    const request = checkScheduleRequest(this.name, this.scheduleOptions, numInferenceSteps, options)
    const { timesteps, sigmas } = this.schedule(request)
    this.numInferenceSteps = request.numInferenceSteps
    this.timesteps = [...timesteps]
    this.sigmas = sigmas && Float32Array.from(sigmas)
    this.beginIndex = undefined
    this.stepIndex = undefined
    this.reset()
  }

  /**
   * Lets the run begin at a later step, as image to image does. Call it after `setTimesteps`.
   *
   * @param index - Into `timesteps`, a multiple of `order`.
   * @throws InvalidArgumentError if there is no such step.
   */
  setBeginIndex(index: number): void {
    if (!Number.isInteger(index) || index < 0 || index >= this.timesteps.length) {
      const last = this.timesteps.length - 1
      throw this.invalid(`no such step to begin at: got ${index}, expected an integer from 0 to ${last}`)
    }
    if (index % this.order !== 0) {
      throw this.invalid(
        `a run begins with a whole step: got ${index}, expected a multiple of ${this.order}, the order`,
      )
    }
    this.beginIndex = index
  }

  /**
   * The sample as the network wants to see it, of the same shape.
   *
   * @param sample - `[batch, channels, height, width]`, at the noise level of `timestep`.
   * @param _timestep - The timestep that the network is called with.
   */
  scaleModelInput(sample: Tensor, _timestep: number): Tensor {
    return sample
  }

  /**
   * Goes from one noise level to the next. The tensors given are not changed.
   *
   * @param modelOutput - What the network said, of the sample's shape.
   * @param timestep - The timestep it was called with, one of `timesteps`.
   * @param sample - `[batch, channels, height, width]`, at the noise level of `timestep`.
   * @param options - What the class takes of {@link StepOptions}; a generator that it does not need is left alone.
   * @throws StateError before `setTimesteps` or after the last step; InvalidArgumentError if an option or shape is
   *   wrong, or fresh noise is needed and nothing gives it.
   */
  step(modelOutput: Tensor, timestep: number, sample: Tensor, options: StepOptions = {}): StepResult {
    if (this.timesteps.length === 0) {
      throw new StateError(this.name, 'no run is planned: got step() first, expected setTimesteps() before it')
    }
    checkStepOptions(this.name, this.stepOptions, options)
    expectDims(modelOutput, this.outputDims(sample.dims), 'the model output')
    const result = this.advance(modelOutput, timestep, sample, options)
    if (this.stepIndex !== undefined) this.stepIndex++
    return result
  }

  /**
   * A clean sample, brought to a noise level of the run.
   *
   * @param original - `[batch, channels, height, width]`.
   * @param noise - Standard normal noise of the same shape.
   * @param timesteps - One for all or one for each item of the batch.
   * @throws InvalidArgumentError if the number of timesteps is another.
   */
  addNoise(original: Tensor, noise: Tensor, timesteps: readonly number[]): Tensor {
    const mix = (sample: Tensor, its: Tensor, timestep: number) => {
      const { alpha, sigma } = this.noiseLevel(timestep)
      return linearCombination([alpha, sigma], [sample, its])
    }
    if (timesteps.length === 1) return mix(original, noise, timesteps[0])
    const [batch] = original.dims
    if (timesteps.length !== batch) {
      throw this.invalid(
        `wrong number of timesteps: got ${timesteps.length}, expected 1 or one for each of ${batch} items`,
      )
    }
    return concatBatch(
      timesteps.map((timestep, i) => mix(sliceBatch(original, i, i + 1), sliceBatch(noise, i, i + 1), timestep)),
    )
  }

  /** The steps of a run. */
  protected abstract schedule(request: ScheduleRequest): Schedule

  /** One step, its arguments checked. */
  protected abstract advance(modelOutput: Tensor, timestep: number, sample: Tensor, options: StepOptions): StepResult

  /** How signal and noise are mixed at a timestep. */
  protected abstract noiseLevel(timestep: number): NoiseLevel

  /** Forgets what a class remembers of a run beside the step it is at. */
  protected reset(): void {}

  /** The shape that the network's output must have. */
  protected outputDims(sampleDims: readonly number[]): readonly number[] {
    return sampleDims
  }

  /** The class's name. */
  protected get name(): string {
    return this.config._className
  }

  /** The number of the step that the run is at; the first call of a run finds it. */
  protected indexOf(timestep: number): number {
    this.stepIndex ??= this.beginIndex ?? this.searchTimestep(timestep)
    if (this.stepIndex >= this.timesteps.length) {
      throw new StateError(this.name, `the run is over: got a step after the last of ${this.timesteps.length}`)
    }
    return this.stepIndex
  }

  /** The number of the step whose noise level `addNoise` means: in a run always that of the run. */
  protected noiseIndexOf(timestep: number): number {
    if (this.beginIndex === undefined) return this.searchTimestep(timestep)
    return Math.min(this.stepIndex ?? this.beginIndex, this.timesteps.length - 1)
  }

  /**
   * Where a timestep stands. Of several equal ones within a run it is the second, as in diffusers: second-order methods
   * list a timestep twice, as the end of a step and the start of the next.
   */
  private searchTimestep(timestep: number): number {
    const first = this.timesteps.indexOf(timestep)
    if (first === -1) throw this.invalid(`not a timestep of the run: got ${timestep}, expected one of timesteps`)
    const second = this.timesteps.indexOf(timestep, first + 1)
    return first === 0 || second === -1 ? first : second
  }

  /** Fresh noise of a shape, drawn or given. */
  protected noise(dims: readonly number[], { generator, varianceNoise }: StepOptions): Tensor {
    if (varianceNoise) {
      if (generator) throw this.invalid('two sources of noise: got generator and varianceNoise, expected one of them')
      expectDims(varianceNoise, dims, 'varianceNoise')
      return varianceNoise
    }
    if (!generator) throw this.invalid('this step draws noise: got no generator, expected one, or one for each item')
    return randnTensor(dims, generator)
  }

  /** An error about an argument. */
  protected invalid(message: string): InvalidArgumentError {
    return new InvalidArgumentError(this.name, message)
  }
}
