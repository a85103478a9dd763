// Ends a run early, and draws again with the same pipeline: `npx tsx examples/cancel.ts`
import { mkdir } from 'node:fs/promises'
import { StableDiffusionPipeline } from 'latentkit'

await using pipe = await StableDiffusionPipeline.fromPretrained('models/tiny-shapes')
const prompt = 'a white ring on a black background'

// Any AbortSignal will do: a button's, a request's, AbortSignal.timeout(30_000).
const controller = new AbortController()
try {
  await pipe.run({
    prompt,
    guidanceScale: 5,
    signal: controller.signal,
    onProgress: ({ loaded, total }) => {
      if (loaded === 5) controller.abort(new Error(`the user had seen enough after step ${loaded} of ${total}`))
    },
  })
} catch (error) {
  if (error !== controller.signal.reason) throw error
  console.log(`Cancelled: ${controller.signal.reason.message}`)
}

const { images } = await pipe.run({ prompt, numInferenceSteps: 20, guidanceScale: 5, seed: 16 })
await mkdir('out', { recursive: true })
await images[0].save('out/ring.png')
console.log('out/ring.png')
