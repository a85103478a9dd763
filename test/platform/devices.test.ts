import { expect, it } from 'vitest'
import { InvalidArgumentError, OnnxRuntimeNodeBackend, RuntimeError, UNet2DConditionModel } from '../../src/node'
import { tinyRepository } from '../repositories'

const backend = new OnnxRuntimeNodeBackend()
const repository = tinyRepository('tiny-sd1')
const load = async (device: 'cuda' | 'webgpu' | 'dml' | 'coreml') => {
  const unet = await UNet2DConditionModel.fromPretrained(repository, { device, subfolder: 'unet' })
  await unet.load()
  await unet.dispose()
}

// A device that the machine has works; one that it hasn't is an error that says what is missing and how to get it.
it.each([
  ['cuda', /NVIDIA driver.*npm rebuild onnxruntime-node --onnxruntime-node-install=cuda12/],
  ['webgpu', /Vulkan.*apt install libvulkan1/],
  ['dml', /Windows 10/],
  ['coreml', /macOS 12/],
] as const)('%s works or says what is missing', async (device, advice) => {
  const error = await load(device).then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (error === undefined) return
  expect(error).toBeInstanceOf(RuntimeError)
  expect((error as RuntimeError).message).toMatch(advice)
})

it('on Linux neither DirectML nor Core ML is there', async () => {
  if (process.platform !== 'linux') return
  await expect(load('dml')).rejects.toThrow(/unet could not be made ready on dml/)
  await expect(load('coreml')).rejects.toThrow(/unet could not be made ready on coreml/)
})

it('auto is a device that the backend lists', async () => {
  const devices = await backend.devices()
  expect(devices.at(-1)).toBe('cpu')
})

it('refuses a number of threads that is none', async () => {
  for (const threads of [0, -1, 1.5, Number.NaN]) {
    const unet = await UNet2DConditionModel.fromPretrained(repository, { device: 'cpu', threads, subfolder: 'unet' })
    await expect(unet.load()).rejects.toThrow(InvalidArgumentError)
  }
})
