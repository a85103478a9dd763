import { Tensor } from 'onnxruntime-common'
import { type Generator, randnTensor } from '../core/generator'
import { float32Data } from '../core/tensor'

/** The encoder's result: a normal distribution for each latent (diffusers `DiagonalGaussianDistribution`). */
export class DiagonalGaussian {
  /** `[batch, channels, h, w]`. */
  readonly mean: Tensor
  /** Logarithm of the variance, cut to [−30, 20], `[batch, channels, h, w]`. */
  readonly logvar: Tensor

  /** @param moments - Mean and log variance behind each other, `[batch, 2·channels, h, w]`. */
  constructor(readonly moments: Tensor) {
    const [batch, both, height, width] = moments.dims
    const data = float32Data(moments, 'moments')
    const plane = (both / 2) * height * width
    const mean = new Float32Array(batch * plane)
    const logvar = new Float32Array(batch * plane)
    for (let n = 0; n < batch; n++) {
      mean.set(data.subarray(2 * n * plane, (2 * n + 1) * plane), n * plane)
      logvar.set(data.subarray((2 * n + 1) * plane, (2 * n + 2) * plane), n * plane)
    }
    for (let i = 0; i < logvar.length; i++) logvar[i] = Math.min(Math.max(logvar[i], -30), 20)
    const dims = [batch, both / 2, height, width]
    this.mean = new Tensor('float32', mean, dims)
    this.logvar = new Tensor('float32', logvar, dims)
  }

  /**
   * The distribution around latents that an older export has drawn itself: as narrow as there is.
   *
   * @param latents - `[batch, channels, h, w]`.
   */
  static certain(latents: Tensor): DiagonalGaussian {
    const [batch, channels, height, width] = latents.dims
    const plane = latents.size / batch
    const moments = new Float32Array(2 * latents.size).fill(-30)
    for (let n = 0; n < batch; n++) {
      moments.set(float32Data(latents, 'latents').subarray(n * plane, (n + 1) * plane), 2 * n * plane)
    }
    return new DiagonalGaussian(new Tensor('float32', moments, [batch, 2 * channels, height, width]))
  }

  /** Draws from the distribution; a list of generators draws one item each. */
  sample(generator: Generator | readonly Generator[]): Tensor {
    const noise = float32Data(randnTensor(this.mean.dims, generator), 'noise')
    const mean = float32Data(this.mean, 'mean')
    const logvar = float32Data(this.logvar, 'logvar')
    const sample = new Float32Array(mean.length)
    for (let i = 0; i < sample.length; i++) sample[i] = mean[i] + Math.fround(Math.exp(0.5 * logvar[i])) * noise[i]
    return new Tensor('float32', sample, this.mean.dims)
  }

  /** The most probable value: the mean. */
  mode(): Tensor {
    return this.mean
  }
}
