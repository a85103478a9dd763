import type { Tensor } from 'onnxruntime-common'
import { restrain, thresholdingOptions } from './clipping'
import { type ConfigOf, oneOf } from './config'
import { EdmMultistepScheduler, edmMultistepOptions } from './edm-multistep'
import type { DpmAlgorithm } from './exponential-integrator'
import type { StepOptions } from './run'

const options = {
  ...edmMultistepOptions,
  ...thresholdingOptions,
  algorithmType: oneOf(['dpmsolver++', 'sde-dpmsolver++'], { deis: 'dpmsolver++' }),
}

/**
 * DPM-Solver++ of order 1 to 3 as a multistep method for EDM models, for the ODE and the SDE. Corresponds to diffusers'
 * `EDMDPMSolverMultistepScheduler`; https://arxiv.org/abs/2211.01095 in the terms of https://arxiv.org/abs/2206.00364.
 *
 * With `sde-dpmsolver++` every step draws noise: it takes `generator` or `varianceNoise`.
 */
export class EDMDPMSolverMultistepScheduler extends EdmMultistepScheduler<ConfigOf<typeof options>> {
  static override readonly className = 'EDMDPMSolverMultistepScheduler'
  static override readonly options = options
  override readonly stepOptions = new Set(['generator', 'varianceNoise'] as const)

  protected override algorithm(): DpmAlgorithm {
    return this.config.algorithmType
  }

  protected override freshNoise(dims: readonly number[], _index: number, options: StepOptions): readonly Tensor[] {
    return this.config.algorithmType === 'sde-dpmsolver++' ? [this.noise(dims, options)] : []
  }

  protected override toSample(output: Tensor, sample: Tensor, sigma: number): Tensor {
    return restrain(this.denoise(output, sample, sigma), this.config)
  }
}
