import { levelOfSigma, type NoiseLevel } from './prediction'

/** Which quantity a DPM-Solver integrates (`++`: the sample, else the noise), and whether it adds fresh noise. */
export type DpmAlgorithm = 'dpmsolver' | 'dpmsolver++' | 'sde-dpmsolver' | 'sde-dpmsolver++'

/** How a second-order step uses the first derivative. */
export type DpmSolverType = 'midpoint' | 'heun'

/** A noise level with λ = log(alpha / sigma), half its logarithmic signal-to-noise ratio. */
export interface LogSnrLevel extends NoiseLevel {
  readonly lambda: number
}

/** The level of a sample of variance alpha² + sigma². */
export function logSnrLevel({ alpha, sigma }: NoiseLevel): LogSnrLevel {
  return { alpha, sigma, lambda: Math.log(alpha) - Math.log(sigma) }
}

/** The level of a variance-preserving sample from σ/α. */
export function logSnrOfSigma(sigma: number): LogSnrLevel {
  return logSnrLevel(levelOfSigma(sigma))
}

/**
 * x_to = sample·x_from + Σ derivatives[k]·D_k + noise·z, with D_k the k-th scaled derivative by λ of the predicted
 * sample (for `++`) or noise.
 */
export interface ExponentialStep {
  readonly sample: number
  /** As many as the order. */
  readonly derivatives: readonly number[]
  /** 0 for an ODE. */
  readonly noise: number
}

/**
 * One step of a DPM-Solver of order 1 to 3: the exponential integrator that every class of the family shares. See
 * https://arxiv.org/abs/2206.00927 for the noise and https://arxiv.org/abs/2211.01095 for the sample (appendix A), also
 * of the SDE.
 */
export function exponentialStep(
  algorithm: DpmAlgorithm,
  solverType: DpmSolverType,
  order: number,
  from: LogSnrLevel,
  to: LogSnrLevel,
): ExponentialStep {
  const h = to.lambda - from.lambda
  // Some schedules end with a noise level twice, or with one that is lower by rounding alone.
  if (h === 0) return { sample: 1, derivatives: Array.from({ length: order }, () => 0), noise: 0 }
  const midpoint = order === 2 && solverType === 'midpoint'
  const { expm1, exp, sqrt } = Math
  switch (algorithm) {
    case 'dpmsolver++': {
      const phi = -expm1(-h)
      const first = midpoint ? 0.5 * phi : 1 - phi / h
      const derivatives = [phi, first, 0.5 - (h - phi) / h ** 2].map((c) => to.alpha * c)
      return { sample: to.sigma / from.sigma, derivatives: derivatives.slice(0, order), noise: 0 }
    }
    case 'sde-dpmsolver++': {
      const phi = -expm1(-2 * h)
      // Diffusers has −0.5 in the third coefficient where the expansion has +0.5, so its third order is one of first.
      const first = midpoint ? 0.5 * phi : 1 - phi / (2 * h)
      const derivatives = [phi, first, (phi - 2 * h) / (2 * h) ** 2 - 0.5].map((c) => to.alpha * c)
      return {
        sample: (to.sigma / from.sigma) * exp(-h),
        derivatives: derivatives.slice(0, order),
        noise: to.sigma * sqrt(Math.max(phi, 0)),
      }
    }
    case 'dpmsolver': {
      const phi = expm1(h)
      const first = midpoint ? 0.5 * phi : phi / h - 1
      const derivatives = [phi, first, (phi - h) / h ** 2 - 0.5].map((c) => -to.sigma * c)
      return { sample: to.alpha / from.alpha, derivatives: derivatives.slice(0, order), noise: 0 }
    }
    case 'sde-dpmsolver': {
      const phi = expm1(h)
      const first = midpoint ? 0.5 * phi : phi / h - 1
      const derivatives = [phi, first].map((c) => -2 * to.sigma * c)
      return {
        sample: to.alpha / from.alpha,
        derivatives: derivatives.slice(0, order),
        noise: to.sigma * sqrt(Math.max(expm1(2 * h), 0)),
      }
    }
  }
}

/**
 * The derivatives D_0 … D_(order−1) as weights of the newest outputs, from the levels at which they were made, newest
 * first, and the level that the step goes to.
 */
function multistepDerivatives(to: LogSnrLevel, at: readonly LogSnrLevel[]): number[][] {
  if (at.length === 1) return [[1]]
  const h = to.lambda - at[0].lambda
  const r0 = (at[0].lambda - at[1].lambda) / h
  if (at.length === 2) return [[1], [1 / r0, -1 / r0]]
  const r1 = (at[1].lambda - at[2].lambda) / h
  // First differences between the outputs, then the second difference and the first derivative corrected by it.
  const d10 = [1 / r0, -1 / r0, 0]
  const d11 = [0, 1 / r1, -1 / r1]
  const d1 = d10.map((c, i) => c + (r0 / (r0 + r1)) * (c - d11[i]))
  const d2 = d10.map((c, i) => (c - d11[i]) / (r0 + r1))
  return [[1], d1, d2]
}

/** Σ coefficients[k] · derivatives[k]: the weights of the outputs in a step. */
export function outputWeights(coefficients: readonly number[], derivatives: readonly (readonly number[])[]): number[] {
  const count = Math.max(...derivatives.map((weights) => weights.length))
  return Array.from({ length: count }, (_, i) =>
    derivatives.reduce(
      (sum, weights, k) => (coefficients[k] === 0 ? sum : sum + coefficients[k] * (weights[i] ?? 0)),
      0,
    ),
  )
}

/** A step as the weights of what it adds up. */
export interface WeightedStep {
  readonly sample: number
  /** Of the outputs, newest first. */
  readonly outputs: readonly number[]
  readonly noise: number
}

/**
 * A step of a DPM-Solver as a multistep method, of the order that there are levels.
 *
 * @param at - The levels at which the outputs were made, newest first: the step begins at the first.
 */
export function multistepStep(
  algorithm: DpmAlgorithm,
  solverType: DpmSolverType,
  at: readonly LogSnrLevel[],
  to: LogSnrLevel,
): WeightedStep {
  const { sample, derivatives, noise } = exponentialStep(algorithm, solverType, at.length, at[0], to)
  return { sample, outputs: outputWeights(derivatives, multistepDerivatives(to, at)), noise }
}

/**
 * The derivatives of a step of a singlestep method, which starts at the oldest of the given levels, as weights of the
 * newest outputs; `at` holds the levels at which they were made, newest first, as many as the order.
 */
export function singlestepDerivatives(to: LogSnrLevel, at: readonly LogSnrLevel[], type: DpmSolverType): number[][] {
  const start = at[at.length - 1]
  const h = to.lambda - start.lambda
  if (at.length === 1) return [[1]]
  const r0 = (at[0].lambda - start.lambda) / h
  if (at.length === 2)
    return [
      [0, 1],
      [1 / r0, -1 / r0],
    ]
  const r1 = (at[1].lambda - start.lambda) / h
  const near = [0, 1 / r1, -1 / r1]
  const far = [1 / r0, 0, -1 / r0]
  if (type === 'midpoint') return [[0, 0, 1], far]
  const d1 = far.map((c, i) => (r0 * near[i] - r1 * c) / (r0 - r1))
  const d2 = far.map((c, i) => (2 * (c - near[i])) / (r0 - r1))
  return [[0, 0, 1], d1, d2]
}
