// Makes another picture out of one: `npx tsx examples/img2img.ts`
import { mkdir } from 'node:fs/promises'
import { DDIMScheduler, StableDiffusionImg2ImgPipeline, StableDiffusionPipeline } from 'latentkit'

await using txt2img = await StableDiffusionPipeline.fromPretrained('models/tiny-shapes')
const { images } = await txt2img.run({ prompt: 'a red star on a blue background', guidanceScale: 5, seed: 11 })

// Both pipelines use the same networks; each has a scheduler of its own choice.
await using img2img = StableDiffusionImg2ImgPipeline.fromPipe(txt2img, {
  scheduler: DDIMScheduler.fromConfig(txt2img.scheduler.config),
})
const { images: changed } = await img2img.run({
  prompt: 'a pink diamond on a green background',
  image: images[0], // or a path, URL, Blob, bytes, tensor
  strength: 0.75, // 0 would keep the picture, 1 would keep nothing of it
  guidanceScale: 5,
  seed: 3,
})

await mkdir('out', { recursive: true })
await images[0].save('out/before.png')
await changed[0].save('out/after.png')
console.log('out/before.png, out/after.png')
