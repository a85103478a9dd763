import { InvalidArgumentError } from '../core/errors'
import { betaQuantile } from './beta-distribution'
import { flag, oneOf, optional, real } from './config'
import { linspace } from './timesteps'

/** The options that replace the sigmas of the timesteps by a schedule of their own; at most one may be on. */
export const sigmaScheduleOptions = {
  useKarrasSigmas: flag(false),
  useExponentialSigmas: flag(false),
  useBetaSigmas: flag(false),
}

/** The options that bound such a schedule; null leaves its ends where the timesteps have them. */
export const sigmaRangeOptions = {
  sigmaMin: optional(real(0, 0)),
  sigmaMax: optional(real(0, 0)),
}

/** The options of the solvers that also integrate flow-matching models. */
export const flowSigmaOptions = {
  useFlowSigmas: flag(false),
  flowShift: real(1, 0),
  useDynamicShifting: flag(false),
  timeShiftType: oneOf(['exponential']),
}

/** A way of spreading the noise levels of a run. */
export type SigmaSchedule = 'karras' | 'exponential' | 'beta' | 'lu' | 'flow'

interface SigmaScheduleConfig {
  readonly _className: string
  readonly useKarrasSigmas?: boolean
  readonly useExponentialSigmas?: boolean
  readonly useBetaSigmas?: boolean
  readonly useLuLambdas?: boolean
  readonly useFlowSigmas?: boolean
}

/**
 * The schedule that a config asks for, if any.
 *
 * @throws InvalidArgumentError if it asks for more than one.
 */
export function sigmaScheduleOf(config: SigmaScheduleConfig): SigmaSchedule | undefined {
  const choices = [
    ['useKarrasSigmas', 'karras'],
    ['useExponentialSigmas', 'exponential'],
    ['useBetaSigmas', 'beta'],
    ['useLuLambdas', 'lu'],
    ['useFlowSigmas', 'flow'],
  ] as const
  const on = choices.filter(([option]) => config[option])
  if (on.length > 1) {
    const names = on.map(([option]) => option).join(' and ')
    throw new InvalidArgumentError(
      config._className,
      `contradictory options: got ${names}, expected one of them at most`,
    )
  }
  return on[0]?.[1]
}

/** σ = √((1 − ᾱ)/ᾱ) of every training step, rounded as PyTorch does. */
export function trainingSigmas(alphasCumprod: Float32Array): Float32Array {
  return alphasCumprod.map((alpha) => Math.sqrt(Math.fround(Math.fround(1 - alpha) / alpha)))
}

/** The value of a table at a fractional index, as `numpy.interp`. */
export function interpolate(values: Float32Array, index: number): number {
  const low = Math.min(Math.max(Math.floor(index), 0), values.length - 1)
  const high = Math.min(low + 1, values.length - 1)
  return values[low] + (values[high] - values[low]) * Math.min(Math.max(index - low, 0), 1)
}

/**
 * The fractional training timestep of a noise level, by the logarithm of sigma; in float32 where NumPy computes in it.
 *
 * @param logSigmas - log σ of every training step, ascending.
 * @param round - What is done after the last operations, which NumPy does in float64 and PyTorch in float32.
 */
export function sigmaToTimestep(sigma: number, logSigmas: Float32Array, round = (value: number) => value): number {
  const { fround } = Math
  const logSigma = fround(Math.log(Math.max(sigma, 1e-10)))
  const above = logSigmas.findIndex((each) => each > logSigma)
  const low = Math.min(Math.max((above === -1 ? logSigmas.length : above) - 1, 0), logSigmas.length - 2)
  const [from, to] = [logSigmas[low], logSigmas[low + 1]]
  const w = Math.min(Math.max(fround(fround(from - logSigma) / fround(from - to)), 0), 1)
  return round(round(fround(1 - w) * low) + round(w * (low + 1)))
}

/**
 * `count` noise levels from `max` down to `min`.
 *
 * - `karras`: even in σ^(1/rho) (eq. 5 of https://arxiv.org/abs/2206.00364)
 * - `exponential` and `lu`: even in log σ (the latter: https://arxiv.org/abs/2206.00927)
 * - `beta`: the quantiles of a beta distribution (https://arxiv.org/abs/2407.12173)
 */
export function scheduledSigmas(
  schedule: Exclude<SigmaSchedule, 'flow'>,
  count: number,
  min: number,
  max: number,
  rho = 7,
): number[] {
  switch (schedule) {
    case 'karras':
      return linspace(0, 1, count).map((t) => (max ** (1 / rho) + t * (min ** (1 / rho) - max ** (1 / rho))) ** rho)
    case 'exponential':
    case 'lu':
      return linspace(Math.log(max), Math.log(min), count).map(Math.exp)
    case 'beta':
      return linspace(0, 1, count).map((t) => min + betaQuantile(1 - t, 0.6, 0.6) * (max - min))
  }
}

/** A flow-matching model's time, shifted towards noise: shift·σ / (1 + (shift − 1)·σ). */
export function shiftSigma(sigma: number, shift: number): number {
  return (shift * sigma) / (1 + (shift - 1) * sigma)
}

/** `count` noise levels of a flow-matching model, from near 1 down to the last above 0. */
export function flowSigmas(count: number, numTrainTimesteps: number, shift: number): number[] {
  return linspace(1, 1 / numTrainTimesteps, count + 1)
    .map((alpha) => shiftSigma(1 - alpha, shift))
    .reverse()
    .slice(0, -1)
}
