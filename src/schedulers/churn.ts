import type { Tensor } from 'onnxruntime-common'
import { linearCombination } from '../core/tensor'
import type { StepOptions } from './run'

/**
 * A sample that is noisier by what `step`'s options ask for, and its sigma: the "churn" of algorithm 2 of
 * https://arxiv.org/abs/2206.00364, which corrects errors of the steps before.
 *
 * @param sigma - The sample's noise level.
 * @param steps - How many steps the run has; they share `sChurn`.
 * @param options - `sChurn`, `sTmin`, `sTmax`, `sNoise`.
 * @param noise - Gives standard normal noise of the sample's shape; called when there is something to add.
 */
export function churn(
  sample: Tensor,
  sigma: number,
  steps: number,
  { sChurn = 0, sTmin = 0, sTmax = Infinity, sNoise = 1 }: StepOptions,
  noise: () => Tensor,
): { noisy: Tensor; sigmaHat: number } {
  const gamma = sTmin <= sigma && sigma <= sTmax ? Math.min(sChurn / steps, Math.SQRT2 - 1) : 0
  if (gamma === 0) return { noisy: sample, sigmaHat: sigma }
  const sigmaHat = sigma * (1 + gamma)
  const added = sNoise * Math.sqrt(sigmaHat ** 2 - sigma ** 2)
  return { noisy: linearCombination([1, added], [sample, noise()]), sigmaHat }
}
