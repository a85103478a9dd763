import { halfWay, MidpointScheduler, midpointOptions } from './midpoint-scheduler'

/**
 * DPM-Solver-2: a method of second order that looks at the middle of each step. Corresponds to diffusers'
 * `KDPM2DiscreteScheduler`; `sample_dpm_2` of k-diffusion, https://arxiv.org/abs/2206.00927.
 */
export class KDPM2DiscreteScheduler extends MidpointScheduler {
  static override readonly className = 'KDPM2DiscreteScheduler'
  static override readonly options = midpointOptions

  protected override middle(from: number, to: number): number {
    return halfWay(to, from)
  }

  protected override target(_from: number, to: number): { down: number; up: number } {
    return { down: to, up: 0 }
  }
}
