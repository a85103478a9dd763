import { describe, expect, it } from 'vitest'
import { DiffusionPipeline, OfflineError, StableDiffusionPipeline, UNet2DConditionModel } from '../../src/node'
import { expectClose, fixture } from '../goldens'
import { readFolder } from '../hub/server'
import { useWorkspace } from '../hub/workspace'

const hub = useWorkspace()
const call = { prompt: 'a star', numInferenceSteps: 2, height: 64, width: 64, seed: 1, outputType: 'latent' } as const

describe.each(['tiny-sd1', 'tiny-sd1-onnx'])('fromPretrained by name: %s', (model) => {
  it('fetches what is needed, draws what the folder draws, and then needs no server', async () => {
    const files = readFolder(fixture(`models/${model}`))
    hub.server.add('someone/tiny', { ...files, 'unet/diffusion_pytorch_model.bin': new Uint8Array(50_000) })
    const options = { device: 'cpu', endpoint: hub.server.endpoint, cacheDir: hub.folder } as const
    const loaded = new Set<string>()
    const pipe = await StableDiffusionPipeline.fromPretrained('someone/tiny', {
      ...options,
      onProgress: (event) => event.kind === 'download' && loaded.add(event.file),
    })
    expect([...loaded].some((file) => file.startsWith('unet/'))).toBe(true)
    const { images } = await pipe.run(call)
    const local = await StableDiffusionPipeline.fromPretrained(fixture(`models/${model}`), { device: 'cpu' })
    // The same graph over the same bytes: only what threads add up in another order may differ.
    expectClose(images, (await local.run(call)).images, 1e-5, 'latents')
    await pipe.dispose()
    await local.dispose()

    hub.server.forget()
    await hub.server.stop()
    const offline = await StableDiffusionPipeline.fromPretrained('someone/tiny', options)
    expectClose((await offline.run(call)).images, images, 1e-5, 'latents')
    expect(hub.server.connections).toBe(0)
    await offline.dispose()
  })
})

it('fetches only the components that are not given, and a single model alone', async () => {
  hub.server.add('someone/tiny', readFolder(fixture('models/tiny-sd1')))
  const options = { device: 'cpu', endpoint: hub.server.endpoint, cacheDir: hub.folder } as const
  const unet = await UNet2DConditionModel.fromPretrained(fixture('models/tiny-sd1'), {
    device: 'cpu',
    subfolder: 'unet',
  })
  const pipe = await DiffusionPipeline.fromPretrained('someone/tiny', { ...options, unet })
  expect(hub.server.bytesSent('unet/diffusion_pytorch_model.safetensors')).toBe(0)
  expect(hub.server.bytesSent('vae/diffusion_pytorch_model.safetensors')).toBeGreaterThan(0)
  await pipe.dispose()
  const alone = await UNet2DConditionModel.fromPretrained('someone/tiny', { ...options, subfolder: 'unet' })
  await alone.load()
  expect(hub.server.bytesSent('unet/diffusion_pytorch_model.safetensors')).toBeGreaterThan(0)
  await alone.dispose()
})

it('says what is missing when it is offline', async () => {
  const options = { cacheDir: hub.folder, localFilesOnly: true }
  const error = await StableDiffusionPipeline.fromPretrained('someone/tiny', options).catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(OfflineError)
  expect((error as OfflineError).message).toContain('someone/tiny')
})
