import type { Tensor } from 'onnxruntime-common'
import { linearCombination } from '../core/tensor'
import { type ConfigOf, integer, oneOf, positive } from './config'
import { expFloat32, linspaceFloat32 } from './float32'
import type { NoiseLevel } from './prediction'
import { Scheduler } from './scheduler'

/** The options that both classes have. */
export const edmOptions = {
  sigmaMin: positive(0.002),
  sigmaMax: positive(80),
  sigmaData: positive(0.5),
  sigmaSchedule: oneOf(['karras', 'exponential']),
  numTrainTimesteps: integer(1000, 1),
  predictionType: oneOf(['epsilon', 'v_prediction']),
  rho: positive(7),
  finalSigmasType: oneOf(['zero', 'sigma_min']),
}

/**
 * The family of EDM models: a sample is x₀ + σ·ε, and the network's input and output are scaled so that both have
 * variance 1 (https://arxiv.org/abs/2206.00364, table 1). Their timesteps are log σ / 4.
 */
export abstract class EdmScheduler<C extends ConfigOf<typeof edmOptions>> extends Scheduler<C> {
  constructor(options?: object, base?: object) {
    super(options, base)
    const { sigmaMin, sigmaMax } = this.config
    if (sigmaMin >= sigmaMax) {
      throw this.invalid(`contradictory options: got sigmaMin ${sigmaMin}, expected one below sigmaMax, ${sigmaMax}`)
    }
  }

  override get initNoiseSigma(): number {
    return Math.sqrt(this.config.sigmaMax ** 2 + 1)
  }

  override scaleModelInput(sample: Tensor, timestep: number): Tensor {
    const sigma = this.sigmaAt(this.indexOf(timestep))
    return linearCombination([1 / Math.sqrt(sigma ** 2 + this.config.sigmaData ** 2)], [sample])
  }

  protected override noiseLevel(timestep: number): NoiseLevel {
    return { alpha: 1, sigma: this.sigmaAt(this.noiseIndexOf(timestep)) }
  }

  /** The noise level of a step; one past the last step is that of the result. */
  protected sigmaAt(index: number): number {
    return this.sigmas?.[index] ?? 0
  }

  /** The picture that a network's output means: c_skip · sample + c_out · output. */
  protected denoise(output: Tensor, sample: Tensor, sigma: number): Tensor {
    const { sigmaData, predictionType } = this.config
    const variance = sigma ** 2 + sigmaData ** 2
    const ofOutput = (sigma * sigmaData) / Math.sqrt(variance)
    const sign = predictionType === 'epsilon' ? 1 : -1
    return linearCombination([sigmaData ** 2 / variance, sign * ofOutput], [sample, output])
  }

  /** The timestep that stands for a noise level. */
  protected timestepOf(sigma: number): number {
    return 0.25 * Math.fround(Math.log(Math.fround(sigma)))
  }

  /** Noise levels that are even in log σ, rounded where PyTorch rounds. */
  protected exponentialSigmas(count: number): number[] {
    const { sigmaMin, sigmaMax } = this.config
    return [...linspaceFloat32(Math.log(sigmaMin), Math.log(sigmaMax), count).map(expFloat32)].reverse()
  }
}
