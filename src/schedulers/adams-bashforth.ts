import type { Tensor } from 'onnxruntime-common'
import { linearCombination } from '../core/tensor'
import type { History } from './history'

/** The weights of the newest outputs, newest first, of 1 to 4 outputs. */
const WEIGHTS = [[1], [3 / 2, -1 / 2], [23 / 12, -16 / 12, 5 / 12], [55 / 24, -59 / 24, 37 / 24, -9 / 24]]

/** The mean output of an even step ahead, extrapolated from the last ones: the linear multistep of Adams and Bashforth. */
export function adamsBashforth(history: History): Tensor {
  return linearCombination(WEIGHTS[history.length - 1], history.newest(4))
}
