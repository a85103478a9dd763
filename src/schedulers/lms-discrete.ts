import type { Tensor } from 'onnxruntime-common'
import { linearCombination } from '../core/tensor'
import { betaOptions } from './betas'
import type { ConfigOf } from './config'
import { lagrangeBasis } from './polynomials'
import { predictionOptions } from './prediction'
import type { Schedule, ScheduleRequest, StepOptions, StepResult } from './run'
import { SigmaScheduler } from './sigma-scheduler'
import { sigmaScheduleOptions } from './sigmas'
import { spacingOptions } from './timesteps'

const options = {
  ...betaOptions,
  ...predictionOptions,
  ...sigmaScheduleOptions,
  ...spacingOptions('linspace'),
}

/**
 * The linear multistep method of Adams and Bashforth on the probability flow ODE in sigma: extrapolates the slopes of
 * the last steps by a polynomial. Corresponds to diffusers' `LMSDiscreteScheduler`; `sample_lms` of k-diffusion.
 *
 * Steps take `order`, how many slopes they use at most (default 4).
 */
export class LMSDiscreteScheduler extends SigmaScheduler<ConfigOf<typeof options>> {
  static override readonly className = 'LMSDiscreteScheduler'
  static override readonly options = options
  override readonly stepOptions = new Set(['order'] as const)

  /** The slopes of the last steps, newest first. */
  private slopes: readonly Tensor[] = []

  protected override schedule(request: ScheduleRequest): Schedule {
    const { timesteps, sigmas } = this.plan(request)
    return { timesteps: timesteps.map(Math.fround), sigmas: [...sigmas, 0] }
  }

  protected override reset(): void {
    this.slopes = []
  }

  protected override advance(
    output: Tensor,
    timestep: number,
    sample: Tensor,
    { order: highest = 4 }: StepOptions,
  ): StepResult {
    if (!Number.isInteger(highest) || highest < 1) {
      throw this.invalid(`order is out of range: got ${highest}, expected an integer of 1 or more`)
    }
    const index = this.indexOf(timestep)
    const sigma = this.sigmaAt(index)
    const predOriginalSample = this.denoise(output, sample, sigma)
    const slope = linearCombination([1 / sigma, -1 / sigma], [sample, predOriginalSample])
    this.slopes = [slope, ...this.slopes].slice(0, highest)

    // A run that begins later has fewer slopes than its step's number allows; diffusers takes the others as 0.
    const order = Math.min(index + 1, highest)
    const nodes = Array.from({ length: order }, (_, age) => this.sigmaAt(index - age) - sigma)
    const weights = lagrangeBasis(nodes).map((polynomial) => integral(polynomial, this.sigmaAt(index + 1) - sigma))
    const used = weights.slice(0, this.slopes.length)
    return { prevSample: linearCombination([1, ...used], [sample, ...this.slopes]), predOriginalSample }
  }
}

/** ∫ of a polynomial, given by its coefficients from the constant up, from 0 to `end`. */
function integral(polynomial: readonly number[], end: number): number {
  return polynomial.reduce((sum, c, power) => sum + (c * end ** (power + 1)) / (power + 1), 0)
}
