import { oneOf } from './config'

/** A sample at a noise level is alpha · x₀ + sigma · ε. */
export interface NoiseLevel {
  readonly alpha: number
  readonly sigma: number
}

/** What the network was trained to predict. */
export type PredictionType = 'epsilon' | 'sample' | 'v_prediction' | 'flow_prediction'

/** The option for classes that know all of diffusion's prediction types, not those of flow matching. */
export const predictionOptions = { predictionType: oneOf(['epsilon', 'sample', 'v_prediction']) }

/** The option for solvers that know flow matching too. */
export const anyPredictionOptions = { predictionType: oneOf(['epsilon', 'sample', 'v_prediction', 'flow_prediction']) }

/** The weights of the noisy sample and of the network's output. */
export type Weights = readonly [sample: number, modelOutput: number]

/** x₀ = weights · (sample, model output): the one place where prediction types become a sample. */
export function sampleWeights(type: PredictionType, { alpha, sigma }: NoiseLevel): Weights {
  switch (type) {
    case 'epsilon':
      return [1 / alpha, -sigma / alpha]
    case 'sample':
      return [0, 1]
    case 'v_prediction': // https://arxiv.org/abs/2202.00512, v = α·ε − σ·x₀
      return [alpha, -sigma]
    case 'flow_prediction': // v = ε − x₀ with α = 1 − σ
      return [1, -sigma]
  }
}

/** ε = weights · (sample, model output): the one place where prediction types become noise. */
export function noiseWeights(type: PredictionType, { alpha, sigma }: NoiseLevel): Weights {
  switch (type) {
    case 'epsilon':
      return [0, 1]
    case 'sample':
      return [1 / sigma, -alpha / sigma]
    case 'v_prediction':
      return [sigma, alpha]
    case 'flow_prediction':
      return [1, 1 - sigma]
  }
}

/** The level of a variance-preserving sample from ᾱ: √ᾱ and √(1 − ᾱ). */
export function levelOfAlphaCumprod(alphaCumprod: number): NoiseLevel {
  return { alpha: Math.sqrt(alphaCumprod), sigma: Math.sqrt(1 - alphaCumprod) }
}

/** The level of a variance-preserving sample from the ratio σ/α that k-diffusion calls sigma. */
export function levelOfSigma(sigma: number): NoiseLevel {
  const alpha = 1 / Math.sqrt(sigma * sigma + 1)
  return { alpha, sigma: sigma * alpha }
}
