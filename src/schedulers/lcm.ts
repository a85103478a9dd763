import type { Tensor } from 'onnxruntime-common'
import { linearCombination } from '../core/tensor'
import { restrain } from './clipping'
import { ConsistencyScheduler, consistencyOptions } from './consistency'
import { levelOfAlphaCumprod, sampleWeights } from './prediction'
import type { StepOptions, StepResult } from './run'

/** The deviation of the data that the boundary condition assumes. */
const SIGMA_DATA = 0.5

/**
 * Latent consistency models: jumps to the picture and adds noise again, in 1 to 8 steps. Corresponds to diffusers'
 * `LCMScheduler`; https://arxiv.org/abs/2310.04378.
 *
 * Every step but the last draws noise: it takes `generator` or `varianceNoise`.
 */
export class LCMScheduler extends ConsistencyScheduler {
  static override readonly className = 'LCMScheduler'
  static override readonly options = consistencyOptions
  override readonly stepOptions = new Set(['generator', 'varianceNoise'] as const)

  protected override advance(output: Tensor, timestep: number, sample: Tensor, options: StepOptions): StepResult {
    const { predictionType, timestepScaling } = this.config
    const level = levelOfAlphaCumprod(this.alphaCumprod(timestep))
    const predicted = restrain(linearCombination(sampleWeights(predictionType, level), [sample, output]), this.config)

    // The boundary condition: at timestep 0 the sample is the picture, whatever the network says.
    const scaled = timestep * timestepScaling
    const skip = SIGMA_DATA ** 2 / (scaled ** 2 + SIGMA_DATA ** 2)
    const out = scaled / Math.sqrt(scaled ** 2 + SIGMA_DATA ** 2)
    const denoised = linearCombination([out, skip], [predicted, sample])

    const next = this.timesteps[this.indexOf(timestep) + 1]
    if (next === undefined) return { prevSample: denoised, predOriginalSample: denoised }
    const { alpha, sigma } = levelOfAlphaCumprod(this.alphaCumprod(next))
    const noise = this.noise(sample.dims, options)
    return { prevSample: linearCombination([alpha, sigma], [denoised, noise]), predOriginalSample: denoised }
  }
}
