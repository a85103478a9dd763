import { type Device, httpRepository, StableDiffusionPipeline } from '../../../src/web'
import { watchGpuMemory, watchWasmMemory } from './gpu-memory'

const gpu = watchGpuMemory()
const wasm = watchWasmMemory()

/** What is held now: on the GPU, and in WebAssembly's memory, which never becomes smaller. */
export function heldMemory() {
  return { ...gpu, wasm: wasm.bytes }
}

/** Opens a pipeline, takes some steps of a drawing or none, perhaps is stopped, and closes it; tells what is held before and after. */
export async function openAndClose(device: Device, steps: number, stopAfter?: number) {
  const repository = httpRepository('/fixtures/models/tiny-sd1')
  const pipe = await StableDiffusionPipeline.fromPretrained(repository, { device, dtype: 'fp32' })
  const loaded = heldMemory()
  if (steps > 0) {
    const controller = new AbortController()
    const options = { prompt: 'a red circle', numInferenceSteps: steps, height: 64, width: 64, seed: 1 }
    const run = pipe.run({
      ...options,
      outputType: 'latent',
      signal: controller.signal,
      onStepEnd: ({ index }) => {
        if (index + 1 === stopAfter) controller.abort(new Error('stopped'))
        return undefined
      },
    })
    const message = await run.then(
      () => undefined,
      (error: Error) => error.message,
    )
    if (message !== (stopAfter === undefined ? undefined : 'stopped')) throw new Error(`the run ended with ${message}`)
  }
  await pipe.dispose()
  return { loaded, closed: heldMemory() }
}
