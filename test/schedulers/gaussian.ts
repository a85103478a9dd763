import type { Tensor } from 'onnxruntime-common'
import { float32Data, float32Tensor } from '../../src/core/tensor'
import type { Scheduler } from '../../src/schedulers'
import { AlphaScheduler } from '../../src/schedulers/alpha-scheduler'
import { alphasCumprod } from '../../src/schedulers/betas'
import { EdmScheduler } from '../../src/schedulers/edm-scheduler'
import { FlowScheduler } from '../../src/schedulers/flow-scheduler'
import { levelOfAlphaCumprod, levelOfSigma, type NoiseLevel } from '../../src/schedulers/prediction'
import { SigmaScheduler } from '../../src/schedulers/sigma-scheduler'

/*
 * Data of which everything is known: x₀ ~ N(MEAN, DEVIATION²) in every element. The best denoiser, the marginal
 * distribution at every noise level and the solution of the probability flow ODE have closed forms.
 */

export const MEAN = 0.4
export const DEVIATION = 0.6

/** How many timesteps the toy training has: 960 steps, a number with many divisors. */
export const TRAINING = 961

/** A training schedule on which log(α/σ) falls evenly from 2.5 to −2.5, so that errors come from the solver alone. */
export const trainedBetas: readonly number[] = Array.from({ length: TRAINING }, (_, t) => {
  const signal = (step: number) => 1 / (1 + Math.exp(-2 * (2.5 - (5 * step) / (TRAINING - 1))))
  return 1 - signal(t) / (t === 0 ? 1 : signal(t - 1))
})

/** No noise at all. */
export const CLEAN: NoiseLevel = { alpha: 1, sigma: 0 }

/** A guess of the picture from a sample at a noise level. */
export type Guess = (sample: number, level: NoiseLevel) => number

/** The mean and the standard deviation of samples at a noise level. */
export function marginal({ alpha, sigma }: NoiseLevel): { mean: number; deviation: number } {
  return { mean: alpha * MEAN, deviation: Math.sqrt((alpha * DEVIATION) ** 2 + sigma ** 2) }
}

/** The expected picture: what a denoiser learns. */
const expectedPicture: Guess = (sample, level) => {
  const { mean, deviation } = marginal(level)
  return MEAN + ((level.alpha * DEVIATION ** 2) / deviation ** 2) * (sample - mean)
}

/** Where the ODE takes a sample from one noise level to another. */
function flow(sample: number, from: NoiseLevel, to: NoiseLevel): number {
  const [start, end] = [marginal(from), marginal(to)]
  return end.mean + (end.deviation * (sample - start.mean)) / start.deviation
}

/** The picture at the end of the flow: what a consistency model learns. */
export const endOfFlow: Guess = (sample, level) => flow(sample, level, CLEAN)

/** The picture of which a jump by its noise lands on the flow at `to`: what a trajectory consistency model learns. */
export function pictureThatLeadsTo(to: NoiseLevel): Guess {
  return (sample, { alpha, sigma }) => {
    // α_to·x₀ + σ_to·ε = target with ε = (sample − α·x₀)/σ, for x₀.
    const ratio = to.sigma / sigma
    return (flow(sample, { alpha, sigma }, to) - ratio * sample) / (to.alpha - ratio * alpha)
  }
}

/** The noise level of the sample that a step begins with, in the scheduler's own terms. */
export function sampleLevel(scheduler: Scheduler, index: number): NoiseLevel {
  const { timesteps, sigmas, config } = scheduler
  const { _className: name } = config
  if (scheduler instanceof AlphaScheduler) {
    const alphas = alphasCumprod(scheduler.config)
    if (name !== 'DDIMInverseScheduler') return levelOfAlphaCumprod(alphas[timesteps[index]])
    return levelOfAlphaCumprod(alphas[index === 0 ? 0 : timesteps[index - 1]])
  }
  if (sigmas === undefined) {
    const angle = (timesteps[index] * Math.PI) / 2
    return { alpha: Math.cos(angle), sigma: Math.sin(angle) }
  }
  const sigma = sigmas[index]
  const flows = scheduler instanceof FlowScheduler || ('useFlowSigmas' in config && config.useFlowSigmas === true)
  if (flows) return { alpha: 1 - sigma, sigma }
  if (scheduler instanceof EdmScheduler) return { alpha: 1, sigma }
  if (!(scheduler instanceof SigmaScheduler)) return levelOfSigma(sigma)
  // These look at the middle of each step too. That of the ancestral one is the next level: it goes down beyond it.
  const looksAtMiddle = name === 'KDPM2DiscreteScheduler' || name === 'DPMSolverSDEScheduler'
  return { alpha: 1, sigma: looksAtMiddle && index % 2 === 1 ? Math.sqrt(sigmas[index - 1] * sigma) : sigma }
}

/** What a network that makes a given guess says to the input that a scheduler shows it. */
export function network(scheduler: Scheduler, input: Tensor, level: NoiseLevel, guess = expectedPicture): Tensor {
  const say = scheduler instanceof EdmScheduler ? edmOutput(scheduler.config) : outputOf(predictionType(scheduler))
  const seen = scheduler instanceof SigmaScheduler ? levelOfSigma(level.sigma) : level
  return float32Tensor(
    input.dims,
    float32Data(input, 'the input').map((x) => say(x, seen, guess)),
  )
}

function predictionType(scheduler: Scheduler): string {
  if (scheduler instanceof FlowScheduler) return 'flow_prediction'
  return 'predictionType' in scheduler.config ? String(scheduler.config.predictionType) : 'v_prediction'
}

function outputOf(type: string) {
  return (x: number, level: NoiseLevel, guess: Guess): number => {
    const picture = guess(x, level)
    const noise = (x - level.alpha * picture) / level.sigma
    if (type === 'epsilon') return noise
    if (type === 'sample') return picture
    return type === 'v_prediction' ? level.alpha * noise - level.sigma * picture : noise - picture
  }
}

/** The output of a network whose input and output are scaled to variance 1 (table 1 of the EDM paper). */
function edmOutput({ sigmaData, predictionType: type }: { sigmaData: number; predictionType: string }) {
  return (scaled: number, level: NoiseLevel, guess: Guess): number => {
    const scale = Math.sqrt(level.sigma ** 2 + sigmaData ** 2)
    const x = scaled * scale
    const rest = guess(x, level) - (sigmaData / scale) ** 2 * x
    return (rest / ((level.sigma * sigmaData) / scale)) * (type === 'epsilon' ? 1 : -1)
  }
}
