// Draws with the model that comes with the package: `npm run demo -- "a green heart above a yellow moon"`
import { mkdir } from 'node:fs/promises'
import { resolve } from 'node:path'
import { DPMSolverMultistepScheduler, StableDiffusionPipeline } from 'latentkit'

const prompt = process.argv.slice(2).join(' ') || 'a red star on a blue background'

const pipe = await StableDiffusionPipeline.fromPretrained('models/tiny-shapes')
pipe.scheduler = DPMSolverMultistepScheduler.fromConfig(pipe.scheduler.config)

const { images } = await pipe.run({
  prompt,
  numInferenceSteps: 20,
  guidanceScale: 5,
  seed: 11,
  onProgress: ({ loaded, total }) => process.stdout.write(`\r"${prompt}": step ${loaded} of ${total}`),
})
await pipe.dispose()

const name = prompt.replace(/[^\p{L}\p{N}]+/gu, '-').slice(0, 60)
const file = resolve('out', `${name}.png`)
await mkdir('out', { recursive: true })
await images[0].save(file)
console.log(`\n${file}`)
