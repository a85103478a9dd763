import type { Tensor } from 'onnxruntime-common'
import { linearCombination } from '../core/tensor'
import { ancestralStep } from './ancestral'
import { evenLatentBetaOptions } from './betas'
import { BrownianTree, noiseSeeds } from './brownian-tree'
import { type ConfigOf, integer, optional } from './config'
import { predictionOptions } from './prediction'
import type { Schedule, ScheduleRequest, StepOptions, StepResult } from './run'
import { SigmaScheduler } from './sigma-scheduler'
import { sigmaScheduleOptions } from './sigmas'
import { spacingOptions } from './timesteps'

const options = {
  ...evenLatentBetaOptions,
  ...predictionOptions,
  ...sigmaScheduleOptions,
  ...spacingOptions('linspace'),
  noiseSamplerSeed: optional(integer(0, 0)),
}

/**
 * The stochastic DPM-Solver++ of second order, with noise that stays the same when the number of steps changes.
 * Corresponds to diffusers' `DPMSolverSDEScheduler`; `sample_dpmpp_sde` of k-diffusion, a singlestep SDE solver of
 * https://arxiv.org/abs/2211.01095. Every step but the last calls the network twice, at its start and in its middle.
 *
 * The noise follows from a seed: `noiseSamplerSeed`, else that of the `generator` which steps take (of each, for a
 * list), without drawing from it. Steps take `sNoise`, a factor of the noise, too.
 */
export class DPMSolverSDEScheduler extends SigmaScheduler<ConfigOf<typeof options>> {
  static override readonly className = 'DPMSolverSDEScheduler'
  static override readonly options = options
  override readonly order = 2
  override readonly stepOptions = new Set(['generator', 'sNoise'] as const)

  private tree?: BrownianTree
  /** Where the step under way started, while the network looks at its middle. */
  private start?: Tensor

  protected override schedule(request: ScheduleRequest): Schedule {
    const { timesteps, sigmas } = this.plan(request)
    const [first, ...others] = sigmas
    return {
      // Each step's start and middle; the last one goes to 0, which has no middle.
      timesteps: timesteps.flatMap((timestep, i) =>
        i === sigmas.length - 1 ? [timestep] : [timestep, this.timestepOf(middle(sigmas[i], sigmas[i + 1]))],
      ),
      sigmas: [first, ...others.flatMap((sigma) => [sigma, sigma]), 0],
    }
  }

  protected override reset(): void {
    this.tree = undefined
    this.start = undefined
  }

  protected override advance(
    output: Tensor,
    timestep: number,
    sample: Tensor,
    { generator, sNoise = 1 }: StepOptions,
  ): StepResult {
    const index = this.indexOf(timestep)
    const predOriginalSample = this.denoise(output, sample, this.inputSigma(index))

    const isMiddle = this.start !== undefined
    const from = this.sigmaAt(isMiddle ? index - 1 : index)
    const next = this.sigmaAt(isMiddle ? index : index + 1)
    if (next === 0) return { prevSample: predOriginalSample, predOriginalSample }
    const to = isMiddle ? next : middle(from, next)
    const start = this.start ?? sample
    this.start = isMiddle ? undefined : sample

    const { down, up } = ancestralStep(from, to)
    const ratio = down / from
    const noise = this.noiseTree(sample, generator).noise(from, to)
    const prevSample = linearCombination([ratio, 1 - ratio, sNoise * up], [start, predOriginalSample, noise])
    return { prevSample, predOriginalSample }
  }

  protected override inputSigma(index: number): number {
    return this.start === undefined ? this.sigmaAt(index) : middle(this.sigmaAt(index - 1), this.sigmaAt(index))
  }

  private noiseTree(sample: Tensor, generator: StepOptions['generator']): BrownianTree {
    if (this.tree === undefined) {
      const { noiseSamplerSeed } = this.config
      const seeds =
        noiseSamplerSeed === null ? noiseSeeds(this.name, sample.dims, generator) : [BigInt(noiseSamplerSeed)]
      const lowest = this.sigmas?.findLast((sigma) => sigma > 0) ?? 0
      this.tree = new BrownianTree(sample.dims, lowest, this.sigmaAt(0), seeds)
    }
    return this.tree
  }
}

/** Half way between two noise levels in log σ. */
function middle(sigma: number, next: number): number {
  return Math.sqrt(sigma * next)
}
