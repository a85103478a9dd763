import type { StableDiffusionImg2ImgOptions, StableDiffusionOptions } from 'latentkit'
import { createScheduler, type Device, env, type ProgressListener, type RawImage } from 'latentkit'
import { type RemotePipeline, StableDiffusionImg2ImgPipeline, StableDiffusionPipeline } from 'latentkit/worker'
import type { Settings } from './settings'

/** What happens while a picture is drawn. */
export interface Drawing {
  readonly onStep: (done: number, total: number) => void
  readonly onPreview?: (image: RawImage) => void
  readonly signal: AbortSignal
}

/** A preview may take this share of the time. */
const PREVIEW_SHARE = 0.3

/** Where the embedded model is. */
const EMBEDDED = 'tiny-shapes'

interface Loaded {
  readonly name: string
  readonly pipe: RemotePipeline<StableDiffusionOptions>
  readonly img2img: RemotePipeline<StableDiffusionImg2ImgOptions>
}

let current: Loaded | undefined

/** The device that `auto` means in this browser. */
export async function bestDevice(): Promise<Device> {
  const [device = 'wasm'] = (await env.backend?.devices()) ?? []
  return device
}

/** Loads a model and lets the one before go. */
export async function load(name: string, onProgress: ProgressListener, signal: AbortSignal): Promise<void> {
  if (current?.name === name) return
  const address = name === EMBEDDED ? new URL(`./${EMBEDDED}/`, document.baseURI).href : name
  const pipe = await StableDiffusionPipeline.fromPretrained(address, { onProgress, signal })
  await current?.pipe.dispose()
  await current?.img2img.dispose()
  current = { name, pipe, img2img: StableDiffusionImg2ImgPipeline.fromPipe(pipe) }
}

/** Draws with the model that was loaded last. */
export async function draw(settings: Settings, { onStep, onPreview, signal }: Drawing): Promise<RawImage> {
  if (!current) throw new Error('No model is loaded.')
  const { prompt, negativePrompt, steps, guidance, seed, width, height, start, strength } = settings
  const common = { prompt, negativePrompt, numInferenceSteps: steps, guidanceScale: guidance, seed, signal }
  const { pipe, img2img } = current
  const scheduler = createScheduler(settings.scheduler, pipe.scheduler.config)
  pipe.scheduler = scheduler
  img2img.scheduler = scheduler
  const run = start ? img2img.stream({ ...common, image: start, strength }) : pipe.stream({ ...common, width, height })
  let previewUntil = 0
  let previewTime = 0
  for (;;) {
    const next = await run.next()
    if (next.done) return next.value.images[0]
    const { index, total } = next.value
    onStep(index + 1, total)
    const now = performance.now()
    const isDue = now - previewUntil >= previewTime * (1 / PREVIEW_SHARE - 1)
    if (!onPreview || !isDue || index + 1 === total) continue
    const [image] = await next.value.preview()
    previewUntil = performance.now()
    previewTime = previewUntil - now
    if (!signal.aborted) onPreview(image)
  }
}
