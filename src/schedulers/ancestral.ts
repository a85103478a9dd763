/**
 * Splits a step from one noise level to a lower one into a deterministic step to `down` and fresh noise of deviation
 * `up`, so that their variances add up (`get_ancestral_step` of k-diffusion; DDPM's posterior in its terms).
 */
export function ancestralStep(sigmaFrom: number, sigmaTo: number): { down: number; up: number } {
  const up = Math.sqrt((sigmaTo ** 2 * (sigmaFrom ** 2 - sigmaTo ** 2)) / sigmaFrom ** 2)
  return { down: sigmaTo ** 2 / sigmaFrom, up }
}
