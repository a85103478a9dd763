import type { Tensor } from 'onnxruntime-common'
import { BrownianTree, noiseSeeds } from './brownian-tree'
import { type ConfigOf, integer, oneOf, real } from './config'
import { EdmMultistepScheduler, edmMultistepOptions } from './edm-multistep'
import type { DpmAlgorithm } from './exponential-integrator'
import type { StepOptions } from './run'

const options = {
  ...edmMultistepOptions,
  sigmaMin: real(0.3, 0),
  sigmaMax: real(500, 0),
  sigmaData: real(1, 0),
  sigmaSchedule: oneOf(['exponential', 'karras']),
  predictionType: oneOf(['v_prediction', 'epsilon']),
  solverOrder: integer(2, 1, 2),
}

/**
 * The stochastic DPM-Solver++ for models trained on a cosine schedule, whose timesteps are angles: 2/π · arctan σ.
 * Corresponds to diffusers' `CosineDPMSolverMultistepScheduler`; https://arxiv.org/abs/2407.14358, appendix A.
 *
 * The noise follows from the seed of the `generator` which steps take (of each, for a list), without drawing from it,
 * and stays the same when the number of steps changes.
 */
export class CosineDPMSolverMultistepScheduler extends EdmMultistepScheduler<ConfigOf<typeof options>> {
  static override readonly className = 'CosineDPMSolverMultistepScheduler'
  static override readonly options = options
  override readonly stepOptions = new Set(['generator'] as const)

  private tree?: BrownianTree

  /** Forgets the last run's outputs and noise. */
  protected override reset(): void {
    super.reset()
    this.tree = undefined
  }

  protected override algorithm(): DpmAlgorithm {
    return 'sde-dpmsolver++'
  }

  protected override freshNoise(dims: readonly number[], index: number, { generator }: StepOptions): readonly Tensor[] {
    const [from, to] = [this.sigmaAt(index), this.sigmaAt(index + 1)]
    if (to === 0) return []
    const { sigmaMin, sigmaMax } = this.config
    this.tree ??= new BrownianTree(dims, sigmaMin, sigmaMax, noiseSeeds(this.name, dims, generator))
    return [this.tree.noise(from, to)]
  }

  protected override timestepOf(sigma: number): number {
    return 2 * Math.fround(Math.fround(Math.atan(Math.fround(sigma))) / Math.PI)
  }
}
