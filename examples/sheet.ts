// Draws the sheet of shapes in the README: `npx tsx examples/sheet.ts docs/images/tiny-shapes.png`
import { mkdir } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { DPMSolverMultistepScheduler, RawImage, StableDiffusionPipeline } from 'latentkit'
import { promptText, shapePrompts } from './shape-prompts'

const file = resolve(process.argv[2] ?? 'out/sheet.png')
const columns = 8
const gap = 8

await using pipe = await StableDiffusionPipeline.fromPretrained('models/tiny-shapes')
pipe.scheduler = DPMSolverMultistepScheduler.fromConfig(pipe.scheduler.config)
const { images } = await pipe.run({
  prompt: shapePrompts.map(promptText),
  seed: shapePrompts.map((_, i) => i),
  numInferenceSteps: 20,
  guidanceScale: 5,
})

const [{ width, height }] = images
const sheetWidth = columns * (width + gap) + gap
const sheetHeight = Math.ceil(images.length / columns) * (height + gap) + gap
const pixels = new Uint8ClampedArray(sheetWidth * sheetHeight * 3).fill(255)
for (const [i, { data }] of images.entries()) {
  const left = gap + (i % columns) * (width + gap)
  const top = gap + Math.floor(i / columns) * (height + gap)
  for (let y = 0; y < height; y++) {
    pixels.set(data.subarray(y * width * 3, (y + 1) * width * 3), ((top + y) * sheetWidth + left) * 3)
  }
}

await mkdir(dirname(file), { recursive: true })
await new RawImage(pixels, sheetWidth, sheetHeight, 3).save(file)
console.log(file)
