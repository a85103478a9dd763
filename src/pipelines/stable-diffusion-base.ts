import { Tensor } from 'onnxruntime-common'
import { Generator } from '../core/generator'
import { float32Data, linearCombination } from '../core/tensor'
import { formatParameters } from '../formats/parameters'
import { denormalize } from '../image/pixels'
import { RawImage } from '../image/raw-image'
import type { Scheduler } from '../schedulers'
import { type CallOptions, checkCall, type OutputType, settleGenerator } from './call-options'
import type { ComponentSet, StableDiffusionComponents } from './components'
import { type DenoisingStep, denoise } from './denoise'
import { guidanceEmbedding, guide } from './guidance'
import { type LoadOptions, loadStableDiffusion, type PipelineSource } from './load'
import { checkPrompts, encodePrompts, type Prompts } from './prompts'

/** What a call gives: images, or a tensor when `outputType` says so. */
export interface PipelineOutput<O extends OutputType = 'image'> {
  readonly images: O extends 'image' ? RawImage[] : Tensor
}

/** A step as `stream` yields it. */
export interface PipelineStep extends DenoisingStep {
  /** The pictures as they would be if denoising ended here; it takes a run of the decoder. */
  preview(): Promise<RawImage[]>
}

/** A pipeline class, as `fromPretrained` and `fromPipe` use it. */
export interface PipelineClass<P> {
  readonly className: string
  new (shared: ComponentSet, scheduler: Scheduler): P
}

/** The state of one call that all pipelines have. */
export interface Call<O> {
  readonly options: O
  readonly prompts: Prompts
  readonly generator: Generator | readonly Generator[]
  /** The scheduler of this call alone, with its timesteps set. */
  readonly scheduler: Scheduler
  /** Number of steps asked for; a scheduler of second order has more timesteps. */
  readonly steps: number
}

/** Where a call begins. */
export interface Start {
  /** `[batch, channels, height/8, width/8]`, at the noise level of the first timestep. */
  readonly latents: Tensor
  readonly timesteps: readonly number[]
}

/**
 * What the Stable Diffusion pipelines share: prompts, guidance, the denoising loop, decoding and metadata. A subclass
 * says which options it takes and where a call begins.
 *
 * Calls may overlap: each has a scheduler and a source of noise of its own.
 */
export abstract class StableDiffusionBase<O extends CallOptions> {
  /** The class's name, as `model_index.json` spells it; a bundler does not change it. */
  static readonly className: string = 'StableDiffusionBase'
  /** The options that the class takes beside the common ones. */
  protected abstract readonly ownOptions: readonly string[]
  private disposed = false

  /**
   * Pipelines are made by `fromPretrained` and `fromPipe`.
   *
   * @param shared - The components, perhaps of several pipelines.
   * @param scheduler - The sampling algorithm; assign another one at any time.
   */
  constructor(
    readonly shared: ComponentSet,
    public scheduler: Scheduler,
  ) {
    shared.retain()
  }

  /**
   * Loads a repository in the diffusers layout.
   *
   * @param source - A local folder, a Hub repository's id or an opened `Repository`.
   * @throws NotFoundError when the folder, a component or a file is missing.
   * @throws UnsupportedError when a config asks for something that is not supported.
   * @throws CheckpointError when a weight is missing or has the wrong shape.
   */
  static async fromPretrained<P>(
    this: PipelineClass<P>,
    source: PipelineSource,
    options: LoadOptions = {},
  ): Promise<P> {
    const { shared, scheduler } = await loadStableDiffusion(this.className, source, options)
    return new this(shared, scheduler)
  }

  /** A pipeline over the components of another, which share their memory; the scheduler is the other's unless given. */
  static fromPipe<P>(
    this: PipelineClass<P>,
    pipe: { readonly shared: ComponentSet; readonly scheduler: Scheduler },
    options: { readonly scheduler?: Scheduler } = {},
  ): P {
    return new this(pipe.shared, options.scheduler ?? pipe.scheduler)
  }

  /** The class's name, as errors call it. */
  protected get className(): string {
    return (this.constructor as PipelineClass<this>).className
  }

  /** The networks and the tokenizer. */
  get components(): StableDiffusionComponents {
    return this.shared.components
  }

  /** Draws. */
  async run<T extends OutputType = 'image'>(options: O & { readonly outputType?: T }): Promise<PipelineOutput<T>> {
    const steps = this.stream<T>(options)
    for (;;) {
      const next = await steps.next()
      if (next.done) return next.value
    }
  }

  /**
   * Draws, step by step: yields after every step and returns what `run` returns. Leaving the loop early ends the call.
   */
  async *stream<T extends OutputType = 'image'>(
    options: O & { readonly outputType?: T },
  ): AsyncGenerator<PipelineStep, PipelineOutput<T>, undefined> {
    const { signal } = options
    checkCall(this.className, options, this.ownOptions)
    this.checkOwn(options)
    const prompts = checkPrompts(this.className, options)
    const generator = settleGenerator(this.className, options, prompts.batch)
    const scheduler = this.scheduler.clone()
    const custom = options.timesteps ?? options.sigmas
    const { numInferenceSteps = custom ? undefined : 50, timesteps, sigmas } = options
    scheduler.setTimesteps(numInferenceSteps, { ...(timesteps && { timesteps }), ...(sigmas && { sigmas }) })
    const steps = numInferenceSteps ?? scheduler.timesteps.length
    const call = { options, prompts, generator, scheduler, steps }
    // The seeds as they are before the first draw: what the metadata of the pictures tell.
    const seeds = generator instanceof Generator ? [generator.seed] : generator.map(({ seed }) => seed)

    signal?.throwIfAborted()
    const { unet, vae, textEncoder, tokenizer } = this.components
    const { guidanceScale = 7.5 } = options
    const guided = guidanceScale > 1 && !unet.config.timeConditionChannels
    const embeds = await this.shared.use(textEncoder, () =>
      encodePrompts(tokenizer, textEncoder, prompts, { ...options, guided }),
    )
    signal?.throwIfAborted()
    const start = await this.start(call)
    const latents = yield* this.denoise(call, start, embeds, guided)
    if (options.outputType === 'latent') return { images: latents } as PipelineOutput<T>
    const decoded = await this.shared.use(vae, () => this.decode(latents))
    signal?.throwIfAborted()
    if (options.outputType === 'tensor') return { images: decoded } as PipelineOutput<T>
    const images = RawImage.fromTensor(decoded).map((image, i) =>
      image.withText({ parameters: this.describe(call, image, i, seeds) }),
    )
    return { images } as PipelineOutput<T>
  }

  /**
   * The pictures of latents.
   *
   * @param latents - `[pictures, channels, height/8, width/8]`, as `outputType: 'latent'` gives them.
   */
  async decodeLatents(latents: Tensor): Promise<RawImage[]> {
    const decoded = await this.shared.use(this.components.vae, () => this.decode(latents))
    return RawImage.fromTensor(decoded)
  }

  /** Releases what no other pipeline uses; a second call does nothing. */
  async dispose(): Promise<void> {
    if (this.disposed) return
    this.disposed = true
    await this.shared.release()
  }

  /** As {@link StableDiffusionBase.dispose}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose()
  }

  /** Checks the options that only this class has. */
  protected abstract checkOwn(options: O): void

  /** The noisy latents that a call begins with, and the timesteps that it takes. */
  protected abstract start(call: Call<O>): Promise<Start>

  /** What the metadata tell beside the common settings. */
  protected describeOwn(_options: O): { readonly strength?: number } {
    return {}
  }

  private async *denoise(
    call: Call<O>,
    start: Start,
    embeds: Tensor,
    guided: boolean,
  ): AsyncGenerator<PipelineStep, Tensor, undefined> {
    const { options, generator, scheduler, prompts } = call
    const { unet } = this.components
    const { guidanceScale = 7.5, guidanceRescale = 0, eta, onStepEnd, onProgress, signal } = options
    const width = unet.config.timeConditionChannels
    const timestepCond = width ? guidanceEmbedding(guidanceScale - 1, prompts.batch, width) : undefined
    const twice = guided ? new Float32Array(2 * start.latents.size) : undefined
    const predict = async (input: Tensor, timestep: number) => {
      const sample = twice ? doubled(input, twice) : input
      const { sample: prediction } = await unet.run({ sample, timestep, encoderHiddenStates: embeds, timestepCond })
      return guided ? guide(prediction, guidanceScale, guidanceRescale) : prediction
    }
    const release = this.shared.hold(unet)
    try {
      const { latents, timesteps } = start
      const stepOptions = { generator, eta: eta ?? 0 }
      const loop = denoise({ scheduler, timesteps, latents, predict, stepOptions, onStepEnd, onProgress, signal })
      for (;;) {
        const next = await loop.next()
        if (next.done) return next.value
        const step = next.value
        yield { ...step, preview: () => this.decodeLatents(step.predOriginalSample ?? step.latents) }
      }
    } finally {
      await release()
    }
  }

  /** Latents to pictures `[batch, 3, height, width]` in [0, 1]. */
  private async decode(latents: Tensor): Promise<Tensor> {
    const { vae } = this.components
    const { scalingFactor, shiftFactor } = vae.config
    const unscaled = linearCombination([1 / scalingFactor], [latents])
    if (shiftFactor !== 0) {
      const data = float32Data(unscaled, 'latents')
      for (let i = 0; i < data.length; i++) data[i] += shiftFactor
    }
    const { sample } = await vae.decode(unscaled)
    return denormalize(sample)
  }

  private describe(
    { options, prompts, scheduler, steps }: Call<O>,
    image: RawImage,
    index: number,
    seeds: readonly bigint[],
  ): string {
    const { batch, count } = prompts
    const prompt = Math.floor((index * count) / batch)
    const other: Record<string, string> = {}
    if (options.clipSkip) other['Clip skip'] = `${options.clipSkip}`
    if (options.guidanceRescale) other['CFG Rescale'] = `${options.guidanceRescale}`
    if (options.eta) other.Eta = `${options.eta}`
    // With one generator a picture of a batch depends on its place in it.
    if (batch > 1 && seeds.length === 1) Object.assign(other, { 'Batch size': `${batch}`, 'Batch pos': `${index}` })
    return formatParameters({
      prompt: prompts.prompts?.[prompt] ?? '',
      negativePrompt: prompts.negativePrompts[prompt],
      steps,
      sampler: scheduler.config._className as string,
      guidanceScale: options.guidanceScale ?? 7.5,
      seed: seeds[seeds.length === 1 ? 0 : index],
      width: image.width,
      height: image.height,
      model: this.shared.model,
      ...this.describeOwn(options),
      other,
    })
  }
}

/** The latents twice behind each other, in memory that is used again at every step. */
function doubled(latents: Tensor, memory: Float32Array<ArrayBuffer>): Tensor {
  const [batch, ...itemDims] = latents.dims
  const data = float32Data(latents, 'latents')
  memory.set(data)
  memory.set(data, data.length)
  return new Tensor('float32', memory, [2 * batch, ...itemDims])
}
