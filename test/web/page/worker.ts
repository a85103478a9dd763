import * as direct from 'latentkit'
import { env, StableDiffusionImg2ImgPipeline, StableDiffusionPipeline } from 'latentkit/worker'

env.wasmPaths = '/onnxruntime/'
const model = '/fixtures/models/tiny-sd1/'
const load = { device: 'wasm', dtype: 'fp32' } as const
const prompt = 'a photo of a red circle on a blue background'
const call = { prompt, numInferenceSteps: 4, height: 64, width: 64, seed: 7 } as const

/** Durations of the tasks over 50 ms that the page has while something is done, in milliseconds. */
async function longTasks(work: () => Promise<unknown>): Promise<number[]> {
  const durations: number[] = []
  const observer = new PerformanceObserver((list) =>
    durations.push(...list.getEntries().map((entry) => entry.duration)),
  )
  observer.observe({ type: 'longtask' })
  await work()
  // The observer is told after the task.
  await new Promise((resolve) => setTimeout(resolve, 200))
  observer.disconnect()
  return durations
}

const tools = {
  /** Whether a pipeline in a worker draws what one in the page draws, from text and from a picture. */
  async same() {
    // The address is relative to the page, not to the worker's script.
    const { height: _, width: __, ...common } = call
    const img2img = { ...common, image: 'fixtures/goldens/pipelines/init.png' }
    const here = await direct.StableDiffusionPipeline.fromPretrained(model, load)
    const a = await here.run(call)
    const c = await direct.StableDiffusionImg2ImgPipeline.fromPipe(here).run(img2img)
    const there = await StableDiffusionPipeline.fromPretrained(model, load)
    const b = await there.run(call)
    const d = await StableDiffusionImg2ImgPipeline.fromPipe(there).run(img2img)
    const equal = (x: direct.RawImage, y: direct.RawImage) =>
      y instanceof direct.RawImage && x.data.every((value, i) => value === y.data[i]) && x.data.length === y.data.length
    return [equal(a.images[0], b.images[0]), equal(c.images[0], d.images[0]), equal(a.images[0], c.images[0])]
  },

  /** Streams with previews, stops at a step, draws again, and ends the worker. */
  async use() {
    const pipe = await StableDiffusionPipeline.fromPretrained(model, load)
    const widths: number[] = []
    for await (const step of pipe.stream(call)) widths.push((await step.preview())[0].width)
    const controller = new AbortController()
    const onStepEnd = ({ index }: { index: number }) => void (index === 1 && controller.abort('enough'))
    const reason = await pipe.run({ ...call, onStepEnd, signal: controller.signal }).catch((error) => error)
    const later = AbortSignal.timeout(300)
    const late = await pipe.run({ ...call, numInferenceSteps: 900, signal: later }).catch((error) => error.name)
    const wrong = await pipe.run({ ...call, height: 63 }).catch((error) => error)
    const isKnown = wrong instanceof direct.InvalidArgumentError
    const { images } = await pipe.run(call)
    await pipe.dispose()
    const disposed = await pipe.run(call).catch((error) => error.code)
    return { widths, reason, late, isKnown, width: images[0].width, disposed }
  },

  /** The largest difference of a pixel between what a worker draws on the GPU and on WebAssembly, and the page's long tasks. */
  async gpu() {
    const options = { ...call, numInferenceSteps: 2 }
    const [first, second] = await Promise.all(
      (['webgpu', 'wasm'] as const).map((device) =>
        StableDiffusionPipeline.fromPretrained(model, { device, dtype: 'fp32' }),
      ),
    )
    const images: direct.RawImage[] = []
    const tasks = await longTasks(async () => images.push(...(await first.run(options)).images))
    images.push(...(await second.run(options)).images)
    await Promise.all([first.dispose(), second.dispose()])
    const [a, b] = images
    return { difference: a.data.reduce((most, value, i) => Math.max(most, Math.abs(value - b.data[i])), 0), tasks }
  },

  /** The page's long tasks while a worker draws, and while the page does. */
  async longTasks() {
    const options = { ...call, height: 256, width: 256 }
    const there = await StableDiffusionPipeline.fromPretrained(model, load)
    const inWorker = await longTasks(() => there.run(options))
    await there.dispose()
    const here = await direct.StableDiffusionPipeline.fromPretrained(model, load)
    const inPage = await longTasks(() => here.run(options))
    await here.dispose()
    return { inWorker, inPage }
  },
}

/** What the page does for the tests. */
export type WorkerPageTools = typeof tools

Object.assign(globalThis, { tools })
