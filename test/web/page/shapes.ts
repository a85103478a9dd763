import { type Device, DPMSolverMultistepScheduler, StableDiffusionPipeline } from '../../../src/web'

let loaded: Promise<StableDiffusionPipeline> | undefined

/** Draws with the embedded model, and tells the colours at three places. */
export async function draw(prompt: string, device: Device, numInferenceSteps: number) {
  loaded ??= StableDiffusionPipeline.fromPretrained('./models/tiny-shapes', { device })
  const pipe = await loaded
  pipe.scheduler = DPMSolverMultistepScheduler.fromConfig(pipe.scheduler.config)
  const { images } = await pipe.run({ prompt, numInferenceSteps, guidanceScale: 5, seed: 1 })
  const [{ width, height, data }] = images
  const pixel = (x: number, y: number) => Array.from(data.subarray((y * width + x) * 3, (y * width + x) * 3 + 3))
  const at = { centre: pixel(width / 2, height / 2), topLeft: pixel(3, 3), bottomRight: pixel(width - 4, height - 4) }
  return { width, height, at }
}
