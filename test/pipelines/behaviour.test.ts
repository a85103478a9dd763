import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import {
  DDIMScheduler,
  DiffusionPipeline,
  EulerAncestralDiscreteScheduler,
  EulerDiscreteScheduler,
  Generator,
  type ProgressEvent,
  parseParameters,
  RawImage,
  StableDiffusionImg2ImgPipeline,
  StableDiffusionPipeline,
  Tensor,
  UNet2DConditionModel,
} from '../../src/node'
import { difference, expectClose, fixture } from '../goldens'
import { fileJson, overlay, tinyRepository } from '../repositories'

const sd1 = tinyRepository('tiny-sd1')
const prompt = 'a photo of a red circle on a blue background'
const short = { prompt, numInferenceSteps: 4, height: 64, width: 64, outputType: 'latent' } as const

let pipe: StableDiffusionPipeline
beforeAll(async () => {
  pipe = await StableDiffusionPipeline.fromPretrained(sd1, { device: 'cpu' })
  pipe.scheduler = EulerDiscreteScheduler.fromConfig(pipe.scheduler.config)
})
afterAll(() => pipe.dispose())

/** The same numbers: what is computed alike must be alike. */
function expectSame(actual: Tensor, expected: Tensor): void {
  expect(actual.dims).toEqual(expected.dims)
  expect(actual.data).toEqual(expected.data)
}

describe('run', () => {
  it('gives the same picture for a seed, a generator and its noise as latents', async () => {
    const { images } = await pipe.run({ ...short, seed: 7 })
    expectSame((await pipe.run({ ...short, generator: new Generator(7) })).images, images)
    const latents = new Generator(7).randn([1, 4, 8, 8])
    expectSame((await pipe.run({ ...short, latents })).images, images)
    const other = await pipe.run({ ...short, seed: 8 })
    expect(difference(other.images, images).largest).toBeGreaterThan(0.1)
  })

  it('draws a random seed when none is given, and tells it', async () => {
    const seeds = []
    for (let i = 0; i < 2; i++) {
      const { images } = await pipe.run({ ...short, outputType: 'image' })
      seeds.push(parseParameters(images[0].text.parameters).seed)
    }
    expect(seeds[0]).not.toBe(seeds[1])
    const { images } = await pipe.run({ ...short, outputType: 'image', seed: seeds[0] })
    expect(parseParameters(images[0].text.parameters).seed).toBe(seeds[0])
  })

  it('takes one generator a picture, so that each picture can be made alone', async () => {
    pipe.scheduler = EulerAncestralDiscreteScheduler.fromConfig(pipe.scheduler.config)
    const { images } = await pipe.run({ ...short, prompt: [prompt, 'a green star'], seed: [1, 2] })
    const alone = await pipe.run({ ...short, prompt: 'a green star', seed: 2 })
    const second = new Tensor('float32', (images.data as Float32Array).slice(256), [1, 4, 8, 8])
    // The sums of a larger batch may be ordered differently.
    expect(difference(second, alone.images).largest).toBeLessThan(1e-3)
    pipe.scheduler = EulerDiscreteScheduler.fromConfig(pipe.scheduler.config)
  })

  it('takes embeddings instead of texts', async () => {
    const { images } = await pipe.run({ ...short, negativePrompt: 'blurry', seed: 3 })
    const { textEncoder, tokenizer } = pipe.components
    const encode = (text: string) => textEncoder.encode(tokenizer.tokenize(text).inputIds)
    const [promptEmbeds, negativePromptEmbeds] = [await encode(prompt), await encode('blurry')]
    const embedded = await pipe.run({ ...short, prompt: undefined, promptEmbeds, negativePromptEmbeds, seed: 3 })
    expect(difference(embedded.images, images).largest).toBeLessThan(1e-4)
  })

  it('takes timesteps and sigmas instead of a number of steps', async () => {
    const scheduler = pipe.scheduler.clone()
    scheduler.setTimesteps(4)
    const { images } = await pipe.run({ ...short, seed: 1 })
    const { numInferenceSteps: _, ...rest } = short
    const sigmas = Array.from(scheduler.sigmas ?? []).slice(0, -1)
    const custom = await pipe.run({ ...rest, sigmas, seed: 1 })
    // The timesteps come back from float32 sigmas, a little beside the whole numbers.
    expectClose(custom.images, images, 1e-2, 'latents')
    const few = await pipe.run({ ...rest, timesteps: [900, 400, 100], seed: 1, outputType: 'image' })
    expect(parseParameters(few.images[0].text.parameters).steps).toBe(3)
  })

  it('draws pictures of the size asked for, also one that the network halves with a remainder', async () => {
    const { images } = await pipe.run({ ...short, height: 88, width: 72, numInferenceSteps: 1, outputType: 'image' })
    expect(images[0]).toMatchObject({ width: 72, height: 88, channels: 3 })
  })

  it('warns about a prompt that is too long, and quotes what it left out', async () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined)
    await pipe.run({ ...short, prompt: `${'red '.repeat(76)}circle`, numInferenceSteps: 1 })
    expect(warn.mock.calls.flat().join('\n')).toMatch(/longer than 77 tokens: left out "red circle"/)
    warn.mockRestore()
  })

  it('writes how the picture was made', async () => {
    const { images } = await pipe.run({
      ...short,
      negativePrompt: 'blurry, "low"\nquality',
      seed: 2n ** 63n,
      guidanceScale: 5.5,
      numImagesPerPrompt: 2,
      outputType: 'image',
    })
    const read = await RawImage.read(await images[1].toBlob())
    expect(parseParameters(read.text.parameters)).toEqual({
      prompt,
      negativePrompt: 'blurry, "low"\nquality',
      steps: 4,
      sampler: 'EulerDiscreteScheduler',
      guidanceScale: 5.5,
      seed: 2n ** 63n,
      width: 64,
      height: 64,
      model: 'tiny-sd1',
      other: { 'Batch size': '2', 'Batch pos': '1' },
    })
  })

  it('runs twice at once without mixing', async () => {
    const alone = [await pipe.run({ ...short, seed: 1 }), await pipe.run({ ...short, seed: 2, numInferenceSteps: 3 })]
    const together = await Promise.all([
      pipe.run({ ...short, seed: 1 }),
      pipe.run({ ...short, seed: 2, numInferenceSteps: 3 }),
    ])
    for (const [i, { images }] of together.entries()) expectSame(images, alone[i].images)
  })
})

describe('steps', () => {
  it('stream yields every step and returns what run returns', async () => {
    const { images } = await pipe.run({ ...short, seed: 5 })
    const stream = pipe.stream({ ...short, seed: 5 })
    const indices: number[] = []
    for (;;) {
      const next = await stream.next()
      if (next.done) {
        expectSame(next.value.images, images)
        break
      }
      const { index, total, timestep, latents } = next.value
      expect([total, latents.dims]).toEqual([4, [1, 4, 8, 8]])
      expect(timestep).toBeGreaterThan(0)
      indices.push(index)
      const [preview] = await next.value.preview()
      expect(preview).toMatchObject({ width: 64, height: 64 })
    }
    expect(indices).toEqual([0, 1, 2, 3])
  })

  it('onStepEnd sees and may replace the latents, and may be asynchronous', async () => {
    const zeros = new Tensor('float32', new Float32Array(256), [1, 4, 8, 8])
    const seen: number[] = []
    const { images } = await pipe.run({
      ...short,
      onStepEnd: async ({ index, total }) => {
        await new Promise((resolve) => setTimeout(resolve, 1))
        seen.push(index)
        return index === total - 1 ? { latents: zeros } : undefined
      },
    })
    expect(seen).toEqual([0, 1, 2, 3])
    expectSame(images, zeros)
    const wrong = pipe.run({
      ...short,
      onStepEnd: () => ({ latents: new Tensor('float32', new Float32Array(4), [4]) }),
    })
    await expect(wrong).rejects.toThrow(/latents that onStepEnd gave has the wrong shape/)
  })

  it('reports progress of loading and of steps', async () => {
    const events: ProgressEvent[] = []
    const onProgress = (event: ProgressEvent) => events.push(event)
    const other = await StableDiffusionPipeline.fromPretrained(sd1, { device: 'cpu', onProgress })
    await other.run({ ...short, onProgress })
    await other.dispose()
    const components = events.flatMap((event) => (event.kind === 'load' ? [event.component] : []))
    expect(components).toEqual(expect.arrayContaining(['scheduler', 'tokenizer', 'text_encoder', 'vae', 'unet']))
    expect(events.flatMap((event) => (event.kind === 'step' ? [event.loaded] : []))).toEqual(
      expect.arrayContaining([1, 4]),
    )
  })
})

describe('cancelling', () => {
  it.each([0, 1, 2, 3])('rejects with the reason after step %i, and the pipeline stays usable', async (stop) => {
    const { images } = await pipe.run({ ...short, seed: 5 })
    const controller = new AbortController()
    const reason = new Error('enough')
    const seen: number[] = []
    const onStepEnd = ({ index }: { index: number }) => {
      seen.push(index)
      if (index === stop) controller.abort(reason)
      return undefined
    }
    await expect(pipe.run({ ...short, signal: controller.signal, onStepEnd })).rejects.toBe(reason)
    expect(seen.at(-1)).toBe(stop)
    expectSame((await pipe.run({ ...short, seed: 5 })).images, images)
  })

  it('rejects before it begins, and while a timer fires during the run', async () => {
    await expect(pipe.run({ ...short, signal: AbortSignal.abort() })).rejects.toMatchObject({ name: 'AbortError' })
    const signal = AbortSignal.timeout(50)
    await expect(pipe.run({ ...short, numInferenceSteps: 500, signal })).rejects.toMatchObject({ name: 'TimeoutError' })
    await expect(StableDiffusionPipeline.fromPretrained(sd1, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      name: 'AbortError',
    })
  })

  it('leaving a stream early ends the run and releases the networks', async () => {
    const lazy = await StableDiffusionPipeline.fromPretrained(sd1, { device: 'cpu', keepLoaded: false })
    for await (const step of lazy.stream(short)) {
      expect(lazy.components.unet.loaded).toBe(true)
      if (step.index === 1) break
    }
    expect(lazy.components.unet.loaded).toBe(false)
    await lazy.dispose()
  })

  it('keeps memory flat over a hundred cancelled runs', async () => {
    const cancelled = async () => {
      const controller = new AbortController()
      const { signal } = controller
      const onStepEnd = () => void controller.abort()
      await expect(pipe.run({ ...short, height: 128, width: 128, signal, onStepEnd })).rejects.toThrow()
    }
    const megabytes = () => process.memoryUsage().rss / 2 ** 20
    // The first runs fill the allocator's pools.
    for (let i = 0; i < 20; i++) await cancelled()
    const before = megabytes()
    for (let i = 0; i < 100; i++) await cancelled()
    // A run's activations are about 10 MB: a leak of one a run would be 1 GB. The garbage collector's own swing is less than 64.
    expect(megabytes() - before).toBeLessThan(64)
  })
})

describe('components', () => {
  it('keepLoaded: false loads each network when it is needed, releases it, and draws the same', async () => {
    const { images } = await pipe.run({ ...short, seed: 5 })
    const { scheduler } = pipe
    const lazy = await StableDiffusionPipeline.fromPretrained(sd1, { device: 'cpu', keepLoaded: false, scheduler })
    const { textEncoder, unet, vae } = lazy.components
    const loaded = () => [textEncoder.loaded, unet.loaded, vae.loaded]
    expect(loaded()).toEqual([false, false, false])
    const run = await lazy.run({
      ...short,
      seed: 5,
      onStepEnd: () => void expect(loaded()).toEqual([false, true, false]),
    })
    expectSame(run.images, images)
    expect(loaded()).toEqual([false, false, false])
    // Two at once must not take the network from each other.
    const together = await Promise.all([lazy.run({ ...short, seed: 5 }), lazy.run({ ...short, seed: 5 })])
    for (const each of together) expectSame(each.images, images)
    expect(loaded()).toEqual([false, false, false])
    await lazy.dispose()
  })

  it('fromPipe shares the networks, which live until the last pipeline is disposed of', async () => {
    const first = await StableDiffusionPipeline.fromPretrained(sd1, { device: 'cpu' })
    const second = StableDiffusionImg2ImgPipeline.fromPipe(first)
    expect(second.components.unet).toBe(first.components.unet)
    await first.dispose()
    const image = fixture('goldens/pipelines/init.png')
    await second.run({ prompt, image, numInferenceSteps: 2, outputType: 'latent' })
    await second.dispose()
    await expect(second.run({ prompt, image })).rejects.toMatchObject({ code: 'ERR_STATE' })
  })

  it('takes components of its own, and names a model that DiffusionPipeline finds', async () => {
    const unet = await UNet2DConditionModel.fromPretrained(sd1, { device: 'cpu', subfolder: 'unet' })
    const scheduler = new DDIMScheduler()
    const other = await DiffusionPipeline.fromPretrained(sd1, { device: 'cpu', unet, scheduler })
    expect(other).toBeInstanceOf(StableDiffusionPipeline)
    expect(other.components.unet).toBe(unet)
    expect(other.scheduler).toBe(scheduler)
    await other.dispose()
  })

  it('reads configs as Python writes them, with infinities as words', async () => {
    const config = {
      ...(await fileJson(sd1, 'scheduler/scheduler_config.json')),
      _class_name: 'DPMSolverMultistepScheduler',
    }
    const text = JSON.stringify(config).replace(/\}$/, ', "lambda_min_clipped": -Infinity, "note": "-Infinity, NaN"}')
    const files = { 'scheduler/scheduler_config.json': new TextEncoder().encode(text) }
    const other = await StableDiffusionPipeline.fromPretrained(overlay(sd1, files), {
      device: 'cpu',
      keepLoaded: false,
    })
    expect(other.scheduler.config).toMatchObject({ lambdaMinClipped: Number.NEGATIVE_INFINITY })
    await other.dispose()
  })

  it('is disposed of by await using', async () => {
    const other = await StableDiffusionPipeline.fromPretrained(sd1, { device: 'cpu' })
    await other[Symbol.asyncDispose]()
    expect(other.components.unet.loaded).toBe(false)
  })
})

describe('image to image', () => {
  it('takes several images, one for each prompt, and a tensor', async () => {
    const img2img = StableDiffusionImg2ImgPipeline.fromPipe(pipe)
    const image = await RawImage.read(fixture('goldens/pipelines/init.png'))
    const options = { numInferenceSteps: 4, strength: 0.5, outputType: 'latent', seed: [1, 2] } as const
    const list = await img2img.run({ ...options, prompt: [prompt, prompt], image: [image, image.resize(96, 80)] })
    expect(list.images.dims).toEqual([2, 4, 10, 12])
    const tensor = await img2img.run({
      ...options,
      seed: 1,
      prompt,
      image: image.convert('RGB').resize(96, 80).toTensor(),
    })
    const first = new Tensor('float32', (list.images.data as Float32Array).slice(0, 480), [1, 4, 10, 12])
    expect(difference(tensor.images, first).largest).toBeLessThan(1e-3)
    const wrong = img2img.run({ ...options, seed: 1, prompt: [prompt, prompt, prompt], image: [image, image] })
    await expect(wrong).rejects.toThrow(/seed|got 2 images/)
    await img2img.dispose()
  })
})
