// Watches a picture come into being: `npx tsx examples/stream.ts`
import { mkdir } from 'node:fs/promises'
import { EulerDiscreteScheduler, StableDiffusionPipeline } from 'latentkit'

await using pipe = await StableDiffusionPipeline.fromPretrained('models/tiny-shapes')
// It tells at every step what it expects at the end: previews are then pictures, not noise.
pipe.scheduler = EulerDiscreteScheduler.fromConfig(pipe.scheduler.config)
await mkdir('out', { recursive: true })

const prompt = 'an orange moon on a cyan background'
for await (const step of pipe.stream({ prompt, numInferenceSteps: 20, guidanceScale: 5, seed: 22 })) {
  if (step.index % 5 !== 0) continue
  const file = `out/step-${String(step.index).padStart(2, '0')}.png`
  const [preview] = await step.preview()
  await preview.save(file)
  console.log(`step ${step.index + 1} of ${step.total}, timestep ${step.timestep}: ${file}`)
}
