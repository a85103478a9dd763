import { InvalidArgumentError } from '../core/errors'
import { type ConfigOf, flag, integer, numbers, oneOf, optional, real } from './config'
import { linspaceFloat32 } from './float32'

/** The options that say how much noise a training step added, with the defaults of DDPM. */
export const betaOptions = {
  numTrainTimesteps: integer(1000, 1),
  betaStart: real(0.0001, 0, 1),
  betaEnd: real(0.02, 0, 1),
  betaSchedule: oneOf(['linear', 'scaled_linear', 'squaredcos_cap_v2', 'sigmoid', 'laplace', 'exp']),
  trainedBetas: optional(numbers([], 0, 1)),
}

/** The same with the defaults of Stable Diffusion. */
export const latentBetaOptions = {
  ...betaOptions,
  betaStart: real(0.00085, 0, 1),
  betaEnd: real(0.012, 0, 1),
  betaSchedule: oneOf(['scaled_linear', 'linear', 'squaredcos_cap_v2', 'sigmoid', 'laplace', 'exp']),
}

/** The defaults of k-diffusion's samplers of second order: Stable Diffusion's range, evenly spread. */
export const evenLatentBetaOptions = { ...latentBetaOptions, betaSchedule: betaOptions.betaSchedule }

/** The option of the classes that can move the last training step to pure noise (https://arxiv.org/abs/2305.08891). */
export const zeroSnrOptions = { rescaleBetasZeroSnr: flag(false) }

/** What the training schedule depends on. */
export type BetaConfig = ConfigOf<typeof betaOptions> & { readonly rescaleBetasZeroSnr?: boolean }

const { cos, exp, log, sign, abs, sqrt, PI, fround } = Math

/** ᾱ(t) of the schedules that are defined by the share of signal that is left at time t in [0, 1]. */
const ALPHA_BAR = {
  squaredcos_cap_v2: (t: number) => cos(((t + 0.008) / 1.008) * (PI / 2)) ** 2,
  exp: (t: number) => exp(-12 * t),
  laplace: (t: number) => {
    const snr = exp(-0.5 * (sign(0.5 - t) || 1) * log(1 - 2 * abs(0.5 - t) + 1e-6))
    return sqrt(snr / (1 + snr))
  },
}

/**
 * β of every training step, rounded where PyTorch rounds to float32.
 *
 * @throws InvalidArgumentError if `trainedBetas` does not hold one for each training step.
 */
export function trainingBetas(config: BetaConfig): Float32Array {
  const { numTrainTimesteps: steps, betaStart, betaEnd, betaSchedule, trainedBetas } = config
  if (trainedBetas) {
    if (trainedBetas.length === steps) return Float32Array.from(trainedBetas)
    throw new InvalidArgumentError(
      config._className,
      `option trainedBetas has the wrong length: got ${trainedBetas.length}, expected numTrainTimesteps, ${steps}`,
    )
  }
  switch (betaSchedule) {
    case 'linear':
      return linspaceFloat32(betaStart, betaEnd, steps)
    case 'scaled_linear':
      return linspaceFloat32(sqrt(betaStart), sqrt(betaEnd), steps).map((root) => root * root)
    case 'sigmoid':
      return linspaceFloat32(-6, 6, steps).map(
        (x) => fround(fround(1 / (1 + exp(-x))) * (betaEnd - betaStart)) + betaStart,
      )
    default: {
      const alphaBar = ALPHA_BAR[betaSchedule]
      return Float32Array.from({ length: steps }, (_, i) =>
        Math.min(1 - alphaBar((i + 1) / steps) / alphaBar(i / steps), 0.999),
      )
    }
  }
}

/** ᾱ of every training step: how much of the sample's variance is signal. Exactly 0 at the last with zero SNR. */
export function alphasCumprod(config: BetaConfig): Float32Array {
  const betas = trainingBetas(config)
  return cumulativeAlphas(config.rescaleBetasZeroSnr ? rescaleZeroTerminalSnr(betas) : betas)
}

/** ᾱ for classes that divide by it: with zero SNR the last is float16's smallest number, so that no sigma is infinite. */
export function positiveAlphasCumprod(config: BetaConfig): Float32Array {
  const alphas = alphasCumprod(config)
  if (config.rescaleBetasZeroSnr) alphas[alphas.length - 1] = 2 ** -24
  return alphas
}

/** ∏ (1 − β): the product runs in float64, as in PyTorch. */
function cumulativeAlphas(betas: Float32Array): Float32Array {
  let product = 1
  return betas.map((beta) => {
    product *= fround(1 - beta)
    return product
  })
}

/** Shifts and scales √ᾱ so that the last is 0 and the first stays: algorithm 1 of https://arxiv.org/abs/2305.08891. */
function rescaleZeroTerminalSnr(betas: Float32Array): Float32Array {
  const roots = cumulativeAlphas(betas).map(sqrt)
  const [first] = roots
  const last = roots[roots.length - 1]
  const scale = fround(first / fround(first - last))
  const alphaBars = roots.map((root) => fround(fround(root - last) * scale) ** 2)
  return alphaBars.map((alphaBar, i) => 1 - fround(i === 0 ? alphaBar : alphaBar / alphaBars[i - 1]))
}
