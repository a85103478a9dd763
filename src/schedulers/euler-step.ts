import type { Tensor } from 'onnxruntime-common'
import { expectDims, float32Data, float32Tensor } from '../core/tensor'

/**
 * A step of Euler's method in sigma: x + (x − x₀)/sigma · (next − sigma).
 *
 * It is rounded after every operation, as PyTorch rounds. With zero terminal SNR sigma starts at 4096 and the result is
 * the small difference of large numbers, so that a more exact sum would not be diffusers' sum.
 */
export function eulerStep(sample: Tensor, denoised: Tensor, sigma: number, next: number): Tensor {
  expectDims(denoised, sample.dims, 'the denoised sample')
  const { fround } = Math
  const x = float32Data(sample, 'the sample')
  const x0 = float32Data(denoised, 'the denoised sample')
  const [from, dt] = [fround(sigma), fround(next - sigma)]
  const result = new Float32Array(x.length)
  for (let i = 0; i < x.length; i++) result[i] = x[i] + fround(fround(fround(x[i] - x0[i]) / from) * dt)
  return float32Tensor(sample.dims, result)
}
