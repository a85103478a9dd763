import { InvalidArgumentError } from '../core/errors'
import { integer, oneOf } from './config'

/** Rounds to the nearest integer, halves to the even one, as NumPy and PyTorch do. */
export function roundHalfEven(value: number): number {
  const floor = Math.floor(value)
  const rest = value - floor
  if (rest !== 0.5) return Math.round(value)
  return floor % 2 === 0 ? floor : floor + 1
}

/** `count` numbers at even distances, both ends included, as `numpy.linspace`. */
export function linspace(start: number, end: number, count: number): number[] {
  const step = (end - start) / (count - 1)
  return Array.from({ length: count }, (_, i) =>
    i > 0 && i === count - 1 ? end : count === 1 ? start : start + i * step,
  )
}

/**
 * The option that says which training timesteps a run visits: table 2 of https://arxiv.org/abs/2305.08891.
 *
 * @param initial - The class's default.
 */
export function spacingOptions<const T extends TimestepSpacing>(initial: T) {
  const others = (['linspace', 'leading', 'trailing'] as const).filter((spacing) => spacing !== initial)
  return { timestepSpacing: oneOf<TimestepSpacing>([initial, ...others]), stepsOffset: integer(0, 0) }
}

/** How the timesteps of a run are spread over those of training. */
export type TimestepSpacing = 'linspace' | 'leading' | 'trailing'

/** What the spacing of timesteps depends on. */
export interface SpacingConfig {
  readonly _className: string
  readonly numTrainTimesteps: number
  readonly timestepSpacing: TimestepSpacing
  readonly stepsOffset: number
}

/**
 * `count` timesteps of a run, from the noisiest down to the one before the picture. Those of `linspace` are not rounded.
 *
 * @throws InvalidArgumentError if the training has fewer timesteps than `leading` needs.
 */
export function spacedTimesteps(config: SpacingConfig, count: number): number[] {
  const { numTrainTimesteps, timestepSpacing, stepsOffset } = config
  switch (timestepSpacing) {
    case 'linspace':
      return linspace(0, numTrainTimesteps - 1, count).reverse()
    case 'leading': {
      const ratio = stepRatio(config._className, numTrainTimesteps, count)
      return Array.from({ length: count }, (_, i) => (count - 1 - i) * ratio + stepsOffset)
    }
    case 'trailing':
      return trailing(numTrainTimesteps, numTrainTimesteps / count, count)
  }
}

/**
 * `count` timesteps for solvers that go from each to the next: of `count + 1` even ones without the last.
 *
 * @param end - The first timestep of training that is not used; below `numTrainTimesteps` where λ is clipped.
 * @throws InvalidArgumentError if the training has fewer timesteps than `leading` needs.
 */
export function solverTimesteps(config: SpacingConfig, count: number, end = config.numTrainTimesteps): number[] {
  const { timestepSpacing, stepsOffset } = config
  switch (timestepSpacing) {
    case 'linspace':
      return linspace(0, end - 1, count + 1)
        .map(roundHalfEven)
        .reverse()
        .slice(0, -1)
    case 'leading': {
      const ratio = stepRatio(config._className, end, count + 1)
      return Array.from({ length: count }, (_, i) => (count - i) * ratio + stepsOffset)
    }
    case 'trailing':
      return trailing(end, config.numTrainTimesteps / count, count)
  }
}

/**
 * `count` timesteps for solvers that go the other way, from the picture to noise; the noisiest is where they end.
 *
 * @param end - The first timestep of training that is not used.
 * @throws InvalidArgumentError if the training has fewer timesteps than `leading` needs.
 */
export function inverseTimesteps(config: SpacingConfig, count: number, end: number): number[] {
  const { timestepSpacing, stepsOffset } = config
  switch (timestepSpacing) {
    case 'linspace':
      return linspace(0, end - 1, count + 1)
        .map(roundHalfEven)
        .slice(0, -1)
    case 'leading': {
      const ratio = stepRatio(config._className, end, count + 1)
      return Array.from({ length: count }, (_, i) => i * ratio + stepsOffset)
    }
    case 'trailing':
      return trailing(end, config.numTrainTimesteps / count, count).reverse()
  }
}

function trailing(end: number, ratio: number, count: number): number[] {
  const length = Math.min(count, Math.ceil(end / ratio))
  return Array.from({ length }, (_, i) => roundHalfEven(end - i * ratio) - 1)
}

/**
 * How many training timesteps lie between two of a run.
 *
 * @throws InvalidArgumentError if there are fewer than one.
 */
export function stepRatio(className: string, numTrainTimesteps: number, count: number): number {
  const ratio = Math.floor(numTrainTimesteps / count)
  if (ratio >= 1) return ratio
  throw new InvalidArgumentError(
    className,
    `too many inference steps for ${numTrainTimesteps} timesteps of training: got ${count}, expected as many or fewer`,
  )
}
