import { Tensor } from 'onnxruntime-common'
import { float32Data } from '../core/tensor'

/**
 * Classifier-free guidance (Ho & Salimans 2022): negative + scale · (positive − negative).
 *
 * @param prediction - Predictions for the negative and the positive prompts behind each other, `[2·batch, …]`.
 * @param scale - Guidance scale.
 * @param rescale - Share of the correction of overexposure (Lin et al. 2023, section 3.4), 0 to 1.
 * @returns `[batch, …]`.
 */
export function guide(prediction: Tensor, scale: number, rescale: number): Tensor {
  const [both, ...itemDims] = prediction.dims
  const data = float32Data(prediction, 'the prediction')
  const half = data.length / 2
  const negative = data.subarray(0, half)
  const positive = data.subarray(half)
  const guided = new Float32Array(half)
  for (let i = 0; i < half; i++) guided[i] = negative[i] + scale * (positive[i] - negative[i])
  if (rescale > 0) {
    const size = half / (both / 2)
    for (let start = 0; start < half; start += size) {
      const item = guided.subarray(start, start + size)
      const ratio = deviation(positive.subarray(start, start + size)) / deviation(item)
      const factor = rescale * ratio + (1 - rescale)
      for (let i = 0; i < size; i++) item[i] *= factor
    }
  }
  return new Tensor('float32', guided, [both / 2, ...itemDims])
}

/** Standard deviation with Bessel's correction, as `torch.std`. */
function deviation(values: Float32Array): number {
  let sum = 0
  for (const value of values) sum += value
  const mean = sum / values.length
  let squares = 0
  for (const value of values) squares += (value - mean) ** 2
  return Math.sqrt(squares / (values.length - 1))
}

/**
 * Embedding of the guidance scale for a distilled model that takes it as an input (diffusers
 * `get_guidance_scale_embedding`; Meng et al. 2023): sines of the thousandfold scale, then cosines.
 *
 * @returns `[batch, width]`.
 */
export function guidanceEmbedding(scale: number, batch: number, width: number): Tensor {
  const half = Math.floor(width / 2)
  const data = new Float32Array(batch * width)
  const step = Math.fround(Math.log(10000) / (half - 1))
  for (let i = 0; i < half; i++) {
    const frequency = Math.fround(Math.exp(Math.fround(i * -step)))
    const angle = Math.fround(Math.fround(scale * 1000) * frequency)
    for (let n = 0; n < batch; n++) {
      data[n * width + i] = Math.sin(angle)
      data[n * width + half + i] = Math.cos(angle)
    }
  }
  return new Tensor('float32', data, [batch, width])
}
