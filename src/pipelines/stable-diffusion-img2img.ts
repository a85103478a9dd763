import type { Tensor } from 'onnxruntime-common'
import { InvalidArgumentError } from '../core/errors'
import { Generator, randnTensor } from '../core/generator'
import { concatBatch, linearCombination } from '../core/tensor'
import { type ImageInput, preprocess, readImages } from '../image/pixels'
import { DiagonalGaussian } from '../models/diagonal-gaussian'
import type { Scheduler } from '../schedulers'
import { type CallOptions, expectRange } from './call-options'
import { type Call, StableDiffusionBase, type Start } from './stable-diffusion-base'

/** Options of {@link StableDiffusionImg2ImgPipeline.run}. */
export interface StableDiffusionImg2ImgOptions extends CallOptions {
  /**
   * The picture to start from, or one for each prompt: a `RawImage`, path, URL, Blob or bytes, or a tensor
   * `[pictures, 3, height, width]` in [0, 1] or [−1, 1]. Its size, rounded down to a multiple of 8, is the result's.
   */
  readonly image: ImageInput
  /** Share of the picture that is made anew, above 0 to 1 (nothing of it is left); 0.8 by default. */
  readonly strength?: number
}

/** Image to image with Stable Diffusion 1 and 2 (diffusers `StableDiffusionImg2ImgPipeline`; SDEdit, Meng et al. 2022). */
export class StableDiffusionImg2ImgPipeline extends StableDiffusionBase<StableDiffusionImg2ImgOptions> {
  static override readonly className = 'StableDiffusionImg2ImgPipeline'
  protected readonly ownOptions = ['image', 'strength']

  protected checkOwn({ image, strength }: StableDiffusionImg2ImgOptions): void {
    if (image === undefined || image === null) {
      throw new InvalidArgumentError(this.className, `image: got ${image}, expected the picture to start from`)
    }
    expectRange(this.className, 'strength', strength, 0, 1)
  }

  protected async start(call: Call<StableDiffusionImg2ImgOptions>): Promise<Start> {
    const { options, prompts, generator, scheduler, steps } = call
    const { vae } = this.components
    const { strength = 0.8, signal } = options
    const timesteps = beginAt(scheduler, steps, strength, this.className)

    const images = await readImages(options.image, { signal })
    const pixels = preprocess(images, { vaeScaleFactor: vae.scaleFactor })
    const [count] = pixels.dims
    if (prompts.batch % count !== 0) {
      const expected = `a divisor of ${prompts.batch}, the number of pictures asked for`
      throw new InvalidArgumentError(this.className, `image: got ${count} images, expected ${expected}`)
    }
    const latents = await this.shared.use(vae, () => this.encode(pixels, prompts.batch, generator))
    const noise = randnTensor(latents.dims, generator)
    return { latents: scheduler.addNoise(latents, noise, timesteps.slice(0, 1)), timesteps }
  }

  protected override describeOwn({ strength = 0.8 }: StableDiffusionImg2ImgOptions): { strength: number } {
    return { strength }
  }

  /** Scaled latents `[batch, channels, height/8, width/8]`, drawn from the encoder's distribution. */
  private async encode(pixels: Tensor, batch: number, generator: Generator | readonly Generator[]): Promise<Tensor> {
    const { vae } = this.components
    const [count] = pixels.dims
    const { latentDist } = await vae.encode(pixels)
    const repeat = (tensor: Tensor) => concatBatch(Array.from({ length: batch / count }, () => tensor))
    // One generator draws for the images as they are given; several draw for one picture of the batch each.
    const sample =
      generator instanceof Generator
        ? repeat(latentDist.sample(generator))
        : new DiagonalGaussian(repeat(latentDist.moments)).sample(generator)
    return linearCombination([vae.config.scalingFactor], [sample])
  }
}

/** Sets where a run of this strength begins, and gives the timesteps that are left (diffusers `get_timesteps`). */
function beginAt(scheduler: Scheduler, steps: number, strength: number, part: string): readonly number[] {
  const { order, timesteps } = scheduler
  const taken = Math.min(Math.trunc(steps * strength), steps)
  if (taken < 1) {
    const got = `${strength} with ${steps} steps, which leaves no step`
    throw new InvalidArgumentError(part, `strength: got ${got}, expected at least ${1 / steps}`)
  }
  const skipped = (steps - taken) * order
  scheduler.setBeginIndex(skipped)
  return timesteps.slice(skipped)
}
