import type { Tensor } from 'onnxruntime-common'
import { linearCombination } from '../core/tensor'
import { evenLatentBetaOptions } from './betas'
import type { ConfigOf } from './config'
import { eulerStep } from './euler-step'
import { expFloat32 } from './float32'
import { predictionOptions } from './prediction'
import type { Schedule, ScheduleRequest, StepOptions, StepResult } from './run'
import { twiceButFirst } from './second-order'
import { SigmaScheduler } from './sigma-scheduler'
import { sigmaScheduleOptions } from './sigmas'
import { roundHalfEven, spacingOptions } from './timesteps'

/** The options of both classes. */
export const midpointOptions = {
  ...evenLatentBetaOptions,
  ...predictionOptions,
  ...sigmaScheduleOptions,
  ...spacingOptions('linspace'),
}

const { fround } = Math

/**
 * The family of DPM-Solver-2 as k-diffusion has it: a step of Euler's to the middle in log σ, whose slope then takes
 * the sample all the way. Every step but the last calls the network twice, at its start and in its middle.
 */
export abstract class MidpointScheduler extends SigmaScheduler<ConfigOf<typeof midpointOptions>> {
  override readonly order = 2

  /** Where the step under way started, while the network looks at its middle. */
  private start?: Tensor

  /** Where between two noise levels the slope is taken: half way in log σ. */
  protected abstract middle(from: number, to: number): number

  /** The noise level that a step's slope takes the sample to, and the deviation of the fresh noise that it adds then. */
  protected abstract target(from: number, to: number): { down: number; up: number }

  protected override schedule(request: ScheduleRequest): Schedule {
    const { timesteps, sigmas } = this.plan(request)
    const starts = this.config.useKarrasSigmas ? timesteps.map(roundHalfEven) : timesteps
    const rounded = sigmas.map(fround)
    return {
      timesteps: starts.flatMap((start, i) =>
        i === 0 ? [start] : [this.timestepOf(this.middle(rounded[i - 1], rounded[i]), fround), start],
      ),
      sigmas: [...twiceButFirst(sigmas), 0, 0, 0],
    }
  }

  protected override reset(): void {
    this.start = undefined
  }

  protected override inputSigma(index: number): number {
    return this.start === undefined ? this.sigmaAt(index) : this.middle(this.sigmaAt(index - 1), this.sigmaAt(index))
  }

  protected override advance(output: Tensor, timestep: number, sample: Tensor, options: StepOptions): StepResult {
    const index = this.indexOf(timestep)
    const sigma = this.inputSigma(index)
    const predOriginalSample = this.denoise(output, sample, sigma)
    const { start } = this
    if (start === undefined) {
      this.start = sample
      const next = this.sigmaAt(index + 1)
      const middle = next === 0 ? 0 : this.middle(sigma, next)
      return { prevSample: eulerStep(sample, predOriginalSample, sigma, middle), predOriginalSample }
    }
    this.start = undefined
    const from = this.sigmaAt(index - 1)
    const { down, up } = this.target(from, this.sigmaAt(index))
    const slope = (down - from) / sigma
    const noise = up > 0 ? [this.noise(sample.dims, options)] : []
    const prevSample = linearCombination(
      [1, slope, -slope, ...noise.map(() => up)],
      [start, sample, predOriginalSample, ...noise],
    )
    return { prevSample, predOriginalSample }
  }
}

/** Half way from one sigma to another in log σ, rounded as PyTorch does: timesteps follow from it, and show every bit. */
export function halfWay(from: number, to: number): number {
  const [start, end] = [fround(Math.log(from)), fround(Math.log(to))]
  return expFloat32(fround(end - fround(end - start) / 2))
}
