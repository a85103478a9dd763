import { halfWay, MidpointScheduler, midpointOptions } from './midpoint-scheduler'

const { fround } = Math

/**
 * DPM-Solver-2 to a noise level below the next one, then fresh noise up to it. Corresponds to diffusers'
 * `KDPM2AncestralDiscreteScheduler`; `sample_dpm_2_ancestral` of k-diffusion.
 *
 * The second half of every step draws noise: it takes `generator` or `varianceNoise`.
 */
export class KDPM2AncestralDiscreteScheduler extends MidpointScheduler {
  static override readonly className = 'KDPM2AncestralDiscreteScheduler'
  static override readonly options = midpointOptions
  override readonly stepOptions = new Set(['generator', 'varianceNoise'] as const)

  protected override middle(from: number, to: number): number {
    return halfWay(from, this.target(from, to).down)
  }

  /** As `ancestralStep`, rounded where PyTorch rounds: `down` is the small difference of larger numbers. */
  protected override target(from: number, to: number): { down: number; up: number } {
    const [variance, before] = [fround(to ** 2), fround(from ** 2)]
    const up = fround(Math.sqrt(fround(fround(variance * fround(before - variance)) / before)))
    const rest = fround(variance - fround(up ** 2))
    return { down: rest > 0 ? fround(Math.sqrt(rest)) : variance / from, up }
  }
}
