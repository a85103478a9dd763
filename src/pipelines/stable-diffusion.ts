import type { Tensor } from 'onnxruntime-common'
import { randnTensor } from '../core/generator'
import { expectDims, linearCombination } from '../core/tensor'
import { type CallOptions, checkSize } from './call-options'
import { type Call, StableDiffusionBase, type Start } from './stable-diffusion-base'

/** Options of {@link StableDiffusionPipeline.run}. */
export interface StableDiffusionOptions extends CallOptions {
  /** Pixels, a multiple of 8; the model's own size by default. */
  readonly height?: number
  /** Pixels, a multiple of 8; the model's own size by default. */
  readonly width?: number
  /** Instead of drawn noise: standard normal noise `[pictures, channels, height/8, width/8]`. */
  readonly latents?: Tensor
}

/** Text to image with Stable Diffusion 1 and 2 (diffusers `StableDiffusionPipeline`). */
export class StableDiffusionPipeline extends StableDiffusionBase<StableDiffusionOptions> {
  static override readonly className = 'StableDiffusionPipeline'
  protected readonly ownOptions = ['height', 'width', 'latents']

  protected checkOwn(options: StableDiffusionOptions): void {
    const { height, width } = this.sizeOf(options)
    checkSize(this.className, height, width, this.components.vae.scaleFactor)
  }

  protected async start({ options, prompts, generator, scheduler }: Call<StableDiffusionOptions>): Promise<Start> {
    const { vae, unet } = this.components
    const { height, width } = this.sizeOf(options)
    const dims = [prompts.batch, unet.config.inChannels, height / vae.scaleFactor, width / vae.scaleFactor]
    if (options.latents) expectDims(options.latents, dims, 'latents')
    const noise = options.latents ?? randnTensor(dims, generator)
    return { latents: linearCombination([scheduler.initNoiseSigma], [noise]), timesteps: scheduler.timesteps }
  }

  /** The size asked for, that of given latents, or the model's own. */
  private sizeOf({ height, width, latents }: StableDiffusionOptions): { height: number; width: number } {
    const { vae, unet } = this.components
    const factor = vae.scaleFactor
    const [, , latentHeight, latentWidth] = latents?.dims ?? []
    const [ownHeight, ownWidth] = unet.config.sampleSize ?? [64, 64]
    return {
      height: height ?? (latentHeight ?? ownHeight) * factor,
      width: width ?? (latentWidth ?? ownWidth) * factor,
    }
  }
}
