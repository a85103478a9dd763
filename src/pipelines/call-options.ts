import { InvalidArgumentError } from '../core/errors'
import { Generator } from '../core/generator'
import { nearest } from '../core/nearest'
import type { ProgressListener } from '../core/progress'
import type { StepListener } from './denoise'
import type { PromptOptions } from './prompts'

/** What becomes of the denoised latents. */
export type OutputType = 'image' | 'tensor' | 'latent'

/** The options that every Stable Diffusion call takes. */
export interface CallOptions extends PromptOptions {
  /** Denoising steps; 50 by default. */
  readonly numInferenceSteps?: number
  /** Instead of a number of steps: the timesteps, descending, where the scheduler takes them. */
  readonly timesteps?: readonly number[]
  /** Instead of a number of steps: the noise levels, descending, where the scheduler takes them. */
  readonly sigmas?: readonly number[]
  /** Strength of the prompt; 7.5 by default, 1 and below turn guidance off. */
  readonly guidanceScale?: number
  /** Correction of overexposed pictures (Lin et al. 2023), 0 (default) to 1. */
  readonly guidanceRescale?: number
  /** Share of fresh noise in DDIM's steps, 0 (default) to 1. */
  readonly eta?: number
  /** Source of all noise; a list has one for each picture. */
  readonly generator?: Generator | readonly Generator[]
  /** Instead of `generator`: its seed, 0 to 2⁶⁴ − 1, or one for each picture. */
  readonly seed?: number | bigint | readonly (number | bigint)[]
  /**
   * `image` (default) gives `RawImage[]`, `tensor` a tensor `[pictures, 3, height, width]` in [0, 1], `latent` the
   * latents `[pictures, channels, height/8, width/8]`.
   */
  readonly outputType?: OutputType
  /** Is told about every step; may replace the latents and may be asynchronous. */
  readonly onStepEnd?: StepListener
  readonly onProgress?: ProgressListener
  /** Ends the run at the next step: it rejects with the signal's reason, and the pipeline stays usable. */
  readonly signal?: AbortSignal
}

/** The names that all calls take; a record, so that the compiler notices one that is missing. */
const commonNames: Record<keyof CallOptions, true> = {
  prompt: true,
  negativePrompt: true,
  numImagesPerPrompt: true,
  promptEmbeds: true,
  negativePromptEmbeds: true,
  clipSkip: true,
  numInferenceSteps: true,
  timesteps: true,
  sigmas: true,
  guidanceScale: true,
  guidanceRescale: true,
  eta: true,
  generator: true,
  seed: true,
  outputType: true,
  onStepEnd: true,
  onProgress: true,
  signal: true,
}

/**
 * Throws unless every option is known and in range.
 *
 * @param part - The pipeline's name.
 * @param options - The options of the call.
 * @param further - Names of the options that only this pipeline takes.
 */
export function checkCall(part: string, options: CallOptions, further: readonly string[]): void {
  const known = [...Object.keys(commonNames), ...further]
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue
    const [closest] = nearest(name, known)
    throw new InvalidArgumentError(
      part,
      `unknown option: got ${name}, expected one of ${known.join(', ')} (closest: ${closest})`,
    )
  }
  const { numInferenceSteps: steps, timesteps, sigmas, guidanceScale, guidanceRescale, eta, outputType } = options
  if (steps !== undefined && !(Number.isSafeInteger(steps) && steps > 0)) {
    throw new InvalidArgumentError(part, `numInferenceSteps: got ${steps}, expected a positive integer`)
  }
  if (timesteps && sigmas) throw new InvalidArgumentError(part, 'got timesteps and sigmas, expected one of them')
  expectRange(part, 'guidanceScale', guidanceScale, 0, Number.MAX_VALUE)
  expectRange(part, 'guidanceRescale', guidanceRescale, 0, 1)
  expectRange(part, 'eta', eta, 0, 1)
  if (outputType !== undefined && !['image', 'tensor', 'latent'].includes(outputType)) {
    throw new InvalidArgumentError(part, `outputType: got ${outputType}, expected image, tensor or latent`)
  }
}

/** Throws unless a number is absent or in the range, both ends included. */
export function expectRange(part: string, name: string, value: number | undefined, low: number, high: number): void {
  if (value === undefined || (typeof value === 'number' && value >= low && value <= high)) return
  const expected = high === Number.MAX_VALUE ? `${low} or more` : `${low} to ${high}`
  throw new InvalidArgumentError(part, `${name}: got ${value}, expected ${expected}`)
}

/**
 * The call's source of noise: the generators given, or new ones from the seeds, or one with a random seed.
 *
 * @throws InvalidArgumentError when a list does not hold one for each of `batch` pictures.
 */
export function settleGenerator(part: string, options: CallOptions, batch: number): Generator | readonly Generator[] {
  const { generator, seed } = options
  if (generator !== undefined && seed !== undefined) {
    throw new InvalidArgumentError(part, 'got generator and seed, expected one of them')
  }
  const settled = generator ?? (isSeedList(seed) ? seed.map((each) => new Generator(each)) : new Generator(seed))
  const list = settled instanceof Generator ? [settled] : settled
  if (!Array.isArray(list) || list.some((each) => !(each instanceof Generator))) {
    throw new InvalidArgumentError(part, `generator: got ${typeof generator}, expected a Generator or a list of them`)
  }
  if (!(settled instanceof Generator) && list.length !== batch) {
    const name = generator === undefined ? 'seed' : 'generator'
    throw new InvalidArgumentError(
      part,
      `${name}: got a list of ${list.length}, expected ${batch}, one for each picture`,
    )
  }
  return settled
}

function isSeedList(seed: CallOptions['seed']): seed is readonly (number | bigint)[] {
  return Array.isArray(seed)
}

/** Throws unless height and width are positive multiples of `factor`. */
export function checkSize(part: string, height: number, width: number, factor: number): void {
  for (const [name, value] of Object.entries({ height, width })) {
    if (Number.isSafeInteger(value) && value > 0 && value % factor === 0) continue
    throw new InvalidArgumentError(part, `${name}: got ${value}, expected a positive multiple of ${factor}`)
  }
}
