import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import * as direct from '../../src/node'
import {
  DDIMScheduler,
  EulerAncestralDiscreteScheduler,
  EulerDiscreteScheduler,
  Generator,
  type LatentkitError,
  NotFoundError,
  type ProgressEvent,
  parseParameters,
  RawImage,
  StateError,
  Tensor,
} from '../../src/node'
import type { RemotePipeline } from '../../src/worker'
import { DiffusionPipeline, StableDiffusionImg2ImgPipeline, StableDiffusionPipeline } from '../../src/worker'
import { fixture } from '../goldens'
import { tinyRepository } from '../repositories'

const folder = fixture('models/tiny-sd1')
const prompt = 'a photo of a red circle on a blue background'
const short = { prompt, numInferenceSteps: 4, height: 64, width: 64, outputType: 'latent' } as const

let here: direct.StableDiffusionPipeline
let there: RemotePipeline<direct.StableDiffusionOptions>
const loading: ProgressEvent[] = []
beforeAll(async () => {
  here = await direct.StableDiffusionPipeline.fromPretrained(tinyRepository('tiny-sd1'), { device: 'cpu' })
  there = await StableDiffusionPipeline.fromPretrained(folder, {
    device: 'cpu',
    onProgress: (event) => loading.push(event),
  })
})
afterAll(() => Promise.all([here.dispose(), there.dispose()]))

/** Bit for bit: both threads run the same code on the same machine. */
function expectSame(actual: Tensor, expected: Tensor): void {
  expect(actual.dims).toEqual(expected.dims)
  expect(actual.data).toEqual(expected.data)
}

describe('run', () => {
  it('draws what the pipeline in this thread draws: latents, tensors, pictures', async () => {
    const options = { ...short, negativePrompt: 'blurry', seed: 7 }
    expectSame((await there.run(options)).images, (await here.run(options)).images)
    const tensor = { ...options, outputType: 'tensor' } as const
    expectSame((await there.run(tensor)).images, (await here.run(tensor)).images)
    const image = { ...options, outputType: 'image', numImagesPerPrompt: 2 } as const
    const [pictures, expected] = [(await there.run(image)).images, (await here.run(image)).images]
    expect(pictures).toEqual(expected)
    expect(pictures[0]).toBeInstanceOf(RawImage)
    expect(parseParameters(pictures[1].text.parameters)).toMatchObject({ seed: 7n, prompt })
  })

  it('goes on from the state of a generator, and brings it to where the run left it', async () => {
    const scheduler = EulerAncestralDiscreteScheduler.fromConfig(here.scheduler.config)
    const wanted = direct.StableDiffusionPipeline.fromPipe(here, { scheduler })
    const other = await StableDiffusionPipeline.fromPretrained(folder, { device: 'cpu', scheduler })
    for (const algorithm of ['torch-cpu', 'torch-cuda', 'numpy'] as const) {
      const used = new Generator(5, { algorithm })
      used.randn([3])
      const copies = [used, used.clone()]
      for (let round = 0; round < 2; round++) {
        const expected = await wanted.run({ ...short, generator: copies[0] })
        expectSame((await other.run({ ...short, generator: copies[1] })).images, expected.images)
      }
      const list = [new Generator(1, { algorithm }), new Generator(2, { algorithm })]
      const options = { ...short, prompt: [prompt, 'a green star'] }
      const expected = await wanted.run({ ...options, generator: list.map((each) => each.clone()) })
      expectSame((await other.run({ ...options, generator: list })).images, expected.images)
    }
    await Promise.all([wanted.dispose(), other.dispose()])
  })

  it('takes tensors and leaves them to the caller, or takes their memory when told to', async () => {
    const latents = new Generator(7).randn([1, 4, 8, 8])
    const { images } = await here.run({ ...short, latents })
    // A view of a larger buffer goes alone.
    const larger = new Float32Array(4096)
    larger.set(latents.data as Float32Array, 256)
    const view = new Tensor('float32', larger.subarray(256, 512), [1, 4, 8, 8])
    expectSame((await there.run({ ...short, latents: view })).images, images)
    expect(larger.byteLength).toBe(16384)
    const { buffer } = latents.data as Float32Array<ArrayBuffer>
    expectSame((await there.run({ ...short, latents, transfer: [buffer] })).images, images)
    expect(buffer.byteLength).toBe(0)
  })

  it('runs twice at once without mixing, each with the scheduler of its beginning', async () => {
    const { config } = here.scheduler
    const schedulers = [DDIMScheduler.fromConfig(config), EulerDiscreteScheduler.fromConfig(config)]
    const draw = (pipe: typeof here | typeof there) =>
      schedulers.map((scheduler, seed) => {
        pipe.scheduler = scheduler
        return pipe.run({ ...short, seed })
      })
    const [together, expected] = [await Promise.all(draw(there)), await Promise.all(draw(here))]
    for (const [i, { images }] of together.entries()) expectSame(images, expected[i].images)
  })

  it('reports progress of loading and of steps', async () => {
    const components = loading.flatMap((event) => (event.kind === 'load' ? [event.component] : []))
    expect(components).toEqual(['scheduler', 'tokenizer', 'text_encoder', 'vae', 'unet', 'done'])
    const steps: ProgressEvent[] = []
    await there.run({ ...short, onProgress: (event) => steps.push(event) })
    expect(steps.map(({ kind, loaded, total }) => [kind, loaded, total])).toEqual(
      [1, 2, 3, 4].map((loaded) => ['step', loaded, 4]),
    )
  })
})

describe('steps', () => {
  it('stream yields every step with its preview and returns what run returns', async () => {
    for (const pipe of [here, there]) pipe.scheduler = EulerDiscreteScheduler.fromConfig(pipe.scheduler.config)
    const expected = here.stream({ ...short, seed: 5 })
    const stream = there.stream({ ...short, seed: 5 })
    for (;;) {
      const [next, wanted] = [await stream.next(), await expected.next()]
      expect(next.done).toBe(wanted.done)
      if (next.done || wanted.done) {
        if (next.done && wanted.done) expectSame(next.value.images, wanted.value.images)
        break
      }
      const { preview, latents, predOriginalSample, ...step } = next.value
      expect(step).toEqual({ index: wanted.value.index, total: 4, timestep: wanted.value.timestep })
      expectSame(latents, wanted.value.latents)
      expect(predOriginalSample?.data).toEqual(wanted.value.predOriginalSample?.data)
      expect(await preview()).toEqual(await wanted.value.preview())
    }
  })

  it('onStepEnd sees and may replace the latents, and may be asynchronous', async () => {
    const seen: number[] = []
    const zeros = new Tensor('float32', new Float32Array(256), [1, 4, 8, 8])
    const { images } = await there.run({
      ...short,
      onStepEnd: async ({ index, total, latents }) => {
        await new Promise((resolve) => setTimeout(resolve, 1))
        expect(latents.dims).toEqual([1, 4, 8, 8])
        seen.push(index)
        return index === total - 1 ? { latents: zeros } : undefined
      },
    })
    expect(seen).toEqual([0, 1, 2, 3])
    expectSame(images, zeros)
  })

  it('what a listener throws comes out as it is, and ends the run', async () => {
    const reason = new RangeError('not this one')
    let steps = 0
    const onStepEnd = () => {
      steps++
      throw reason
    }
    await expect(there.run({ ...short, onStepEnd })).rejects.toBe(reason)
    expect(steps).toBe(1)
    const onProgress = () => {
      throw reason
    }
    await expect(there.run({ ...short, onProgress })).rejects.toBe(reason)
  })
})

describe('cancelling', () => {
  it.each([0, 1, 2, 3])('rejects with the reason after step %i, and the worker stays usable', async (stop) => {
    const { images } = await there.run({ ...short, seed: 5 })
    const controller = new AbortController()
    const reason = new Error('enough')
    const seen: number[] = []
    const onStepEnd = ({ index }: { index: number }) => {
      seen.push(index)
      if (index === stop) controller.abort(reason)
      return undefined
    }
    await expect(there.run({ ...short, signal: controller.signal, onStepEnd })).rejects.toBe(reason)
    expect(seen.at(-1)).toBe(stop)
    expectSame((await there.run({ ...short, seed: 5 })).images, images)
  })

  it('rejects before it begins, and while a timer fires during the run', async () => {
    await expect(there.run({ ...short, signal: AbortSignal.abort() })).rejects.toMatchObject({ name: 'AbortError' })
    let steps = 0
    const onProgress = () => void steps++
    const run = there.run({ ...short, numInferenceSteps: 900, signal: AbortSignal.timeout(200), onProgress })
    await expect(run).rejects.toMatchObject({ name: 'TimeoutError' })
    expect(steps).toBeLessThan(900)
    const signal = AbortSignal.abort()
    await expect(StableDiffusionPipeline.fromPretrained(folder, { signal })).rejects.toBe(signal.reason)
    const reason = new Error('not this model')
    const controller = new AbortController()
    const loads = StableDiffusionPipeline.fromPretrained(folder, {
      signal: controller.signal,
      onProgress: () => controller.abort(reason),
    })
    await expect(loads).rejects.toBe(reason)
  })

  it('leaving a stream early or aborting it ends the run there', async () => {
    const controller = new AbortController()
    const reason = new Error('enough')
    const stream = there.stream({ ...short, signal: controller.signal })
    await stream.next()
    controller.abort(reason)
    await expect(stream.next()).rejects.toBe(reason)
    const indices: number[] = []
    for await (const { index } of there.stream(short)) {
      indices.push(index)
      if (index === 1) break
    }
    expect(indices).toEqual([0, 1])
    await there.run(short)
  })
})

describe('pipelines of one thread', () => {
  it('image to image shares the networks by fromPipe, or is loaded by its class', async () => {
    const image = await RawImage.read(fixture('goldens/pipelines/init.png'))
    const options = { prompt, image, numInferenceSteps: 4, strength: 0.5, seed: 3, outputType: 'latent' } as const
    const { images } = await direct.StableDiffusionImg2ImgPipeline.fromPipe(here).run(options)
    const shared = StableDiffusionImg2ImgPipeline.fromPipe(there)
    expect(shared.className).toBe('StableDiffusionImg2ImgPipeline')
    expectSame((await shared.run(options)).images, images)
    expectSame((await shared.run({ ...options, image: fixture('goldens/pipelines/init.png') })).images, images)
    await shared.dispose()
    await shared.dispose()
    await expect(shared.run(options)).rejects.toBeInstanceOf(StateError)
    await there.run(short)
    const own = await StableDiffusionImg2ImgPipeline.fromPretrained(folder, {
      device: 'cpu',
      scheduler: here.scheduler,
    })
    expectSame((await own.run(options)).images, images)
    await own.dispose()
  })

  it('live until the last one is disposed of; model_index.json names the class', async () => {
    const first = (await DiffusionPipeline.fromPretrained(folder)) as typeof there
    expect([first.className, first.scheduler.config]).toMatchObject([
      'StableDiffusionPipeline',
      { _className: 'PNDMScheduler' },
    ])
    const second = StableDiffusionPipeline.fromPipe(first)
    await first.dispose()
    await expect(first.run(short)).rejects.toMatchObject({ code: 'ERR_STATE' })
    expect(() => StableDiffusionPipeline.fromPipe(first)).toThrow(StateError)
    await second.run({ ...short, numInferenceSteps: 1 })
    await second[Symbol.asyncDispose]()
    await expect(second.run(short)).rejects.toBeInstanceOf(StateError)
  })

  it('a run that is under way when the pipeline is disposed of settles', async () => {
    const pipe = await StableDiffusionPipeline.fromPretrained(folder)
    const run = pipe.run(short).then(
      () => 'done',
      (error) => error.code,
    )
    await pipe.dispose()
    expect(['done', 'ERR_STATE']).toContain(await run)
  })
})

describe('errors', () => {
  it('are those of the pipeline: class, code, message and cause', async () => {
    const wrong = { ...short, height: 63 }
    const expected: LatentkitError = await here.run(wrong).catch((error) => error)
    const error: LatentkitError = await there.run(wrong).catch((error) => error)
    expect(error).toBeInstanceOf(direct.InvalidArgumentError)
    expect([error.name, error.code, error.message]).toEqual([expected.name, expected.code, expected.message])
    await expect(there.run({ ...short, steps: 4 } as typeof short)).rejects.toThrow(/unknown option: got steps/)
    const missing = StableDiffusionPipeline.fromPretrained('./no/such/folder')
    await expect(missing).rejects.toBeInstanceOf(NotFoundError)
  })

  it('say what cannot go to a worker', async () => {
    const backend = new direct.OnnxRuntimeNodeBackend()
    const options = { backend } as object
    await expect(StableDiffusionPipeline.fromPretrained(folder, options)).rejects.toThrow(
      /\[StableDiffusionPipeline\] backend: got one, expected none: it cannot go to a worker/,
    )
    const repository = tinyRepository('tiny-sd1') as unknown as string
    await expect(StableDiffusionPipeline.fromPretrained(repository)).rejects.toThrow(/source: got object, expected/)
    const run = there.run({ ...short, prompt: (() => 'a star') as unknown as string })
    await expect(run).rejects.toMatchObject({ code: 'ERR_INVALID_ARGUMENT', cause: { name: 'DataCloneError' } })
    await there.run(short)
  })
})
