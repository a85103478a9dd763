import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  CheckpointError,
  FormatError,
  InvalidArgumentError,
  LatentkitError,
  NotFoundError,
  SafetensorsFile,
  StableDiffusionImg2ImgPipeline,
  type StableDiffusionOptions,
  StableDiffusionPipeline,
  StateError,
  Tensor,
  UnsupportedError,
  writeSafetensors,
} from '../../src/node'
import { fixture } from '../goldens'
import { fileBytes, fileJson, overlay, tinyRepository } from '../repositories'

const sd1 = tinyRepository('tiny-sd1')
const load = (files: Parameters<typeof overlay>[1]) =>
  StableDiffusionPipeline.fromPretrained(overlay(sd1, files), { device: 'cpu' })

async function rejection(promise: Promise<unknown>): Promise<LatentkitError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(LatentkitError)
  return error as LatentkitError
}

describe('loading says what is wrong', () => {
  it('a missing folder', async () => {
    const error = await rejection(
      StableDiffusionPipeline.fromPretrained(fixture('models/no-such-model'), { localFilesOnly: true }),
    )
    expect(error).toBeInstanceOf(NotFoundError)
    expect(error.message).toContain('no-such-model')
  })

  it('a missing model_index.json', async () => {
    const error = await rejection(load({ 'model_index.json': undefined }))
    expect(error).toBeInstanceOf(NotFoundError)
    expect(error.message).toContain('model_index.json')
  })

  it('a component that model_index.json does not name', async () => {
    const index = await fileJson(sd1, 'model_index.json')
    const error = await rejection(load({ 'model_index.json': { ...index, vae: [null, null] } }))
    expect(error).toBeInstanceOf(NotFoundError)
    expect(error.message).toMatch(/a component is missing: .*model_index.json names no vae/)
  })

  it('a component of another class', async () => {
    const index = await fileJson(sd1, 'model_index.json')
    const error = await rejection(load({ 'model_index.json': { ...index, vae: ['diffusers', 'AutoencoderTiny'] } }))
    expect(error).toBeInstanceOf(UnsupportedError)
    expect(error.message).toContain('got a AutoencoderTiny, expected a AutoencoderKL')
  })

  it('a component whose weights are missing', async () => {
    const error = await rejection(load({ 'unet/diffusion_pytorch_model.safetensors': undefined }))
    expect(error).toBeInstanceOf(NotFoundError)
    expect(error.message).toContain('unet/diffusion_pytorch_model.safetensors')
  })

  it('a wrong _class_name of the pipeline', async () => {
    const index = await fileJson(sd1, 'model_index.json')
    const error = await rejection(load({ 'model_index.json': { ...index, _class_name: 'StableDiffusionXLPipeline' } }))
    expect(error).toBeInstanceOf(InvalidArgumentError)
    expect(error.message).toContain('got _class_name "StableDiffusionXLPipeline"')
  })

  it('a wrong _class_name of a model', async () => {
    const config = await fileJson(sd1, 'unet/config.json')
    const error = await rejection(load({ 'unet/config.json': { ...config, _class_name: 'UNet2DModel' } }))
    expect(error.message).toContain('got UNet2DModel, expected UNet2DConditionModel')
  })

  it('an option of a model that is not supported', async () => {
    const config = await fileJson(sd1, 'unet/config.json')
    const error = await rejection(load({ 'unet/config.json': { ...config, dual_cross_attention: true } }))
    expect(error).toBeInstanceOf(UnsupportedError)
    expect(error.message).toContain('dual_cross_attention is not supported: got true')
  })

  it('truncated weights', async () => {
    const path = 'unet/diffusion_pytorch_model.safetensors'
    const bytes = await fileBytes(sd1, path)
    const error = await rejection(load({ [path]: bytes.subarray(0, bytes.length - 100) }))
    expect(error).toBeInstanceOf(FormatError)
    expect(error.message).toContain(path)
  })

  it('a tensor of the wrong shape, and one that is missing', async () => {
    const path = 'vae/diffusion_pytorch_model.safetensors'
    const file = await SafetensorsFile.fromBytes(await fileBytes(sd1, path))
    const name = 'decoder.conv_in.bias'
    const tensors = new Map<string, { dtype: 'F32'; shape: readonly number[]; data: Uint8Array }>()
    for (const info of file.tensors.values()) {
      tensors.set(info.name, { dtype: 'F32', shape: info.shape, data: await file.read(info.name) })
    }
    const { data = new Uint8Array(), shape = [] } = tensors.get(name) ?? {}
    tensors.set(name, { dtype: 'F32', shape: [1, ...shape], data })
    const wrong = await rejection(load({ [path]: writeSafetensors(Object.fromEntries(tensors)) }))
    expect(wrong).toBeInstanceOf(CheckpointError)
    expect(wrong.message).toContain(`${name} has the wrong shape: got [1, 16], expected [16]`)
    tensors.delete(name)
    const missing = await rejection(load({ [path]: writeSafetensors(Object.fromEntries(tensors)) }))
    expect(missing).toBeInstanceOf(CheckpointError)
    expect(missing.message).toContain(`a tensor is missing: expected ${name} [16] in ${path}`)
  })

  it('an unknown scheduler', async () => {
    const config = await fileJson(sd1, 'scheduler/scheduler_config.json')
    const error = await rejection(
      load({ 'scheduler/scheduler_config.json': { ...config, _class_name: 'EulerDiscretScheduler' } }),
    )
    expect(error).toBeInstanceOf(NotFoundError)
    expect(error.message).toContain('closest: EulerDiscreteScheduler')
  })

  it('a UNet for other latents', async () => {
    const error = await rejection(
      StableDiffusionPipeline.fromPretrained(tinyRepository('tiny-inpaint'), { device: 'cpu' }),
    )
    expect(error).toBeInstanceOf(UnsupportedError)
    expect(error.message).toContain('it is made for inpainting: got 9 channels, expected 4')
  })

  it('a device or type that there is not', async () => {
    const device = await rejection(StableDiffusionPipeline.fromPretrained(sd1, { device: 'gpu' as 'cpu' }))
    expect(device.message).toContain('no such device: got gpu')
    const dtype = await rejection(StableDiffusionPipeline.fromPretrained(sd1, { device: 'cpu', dtype: 'fp16' }))
    expect(dtype.message).toContain('cpu computes in float32')
  })
})

describe('a call says what is wrong', () => {
  let pipe: StableDiffusionPipeline
  let img2img: StableDiffusionImg2ImgPipeline
  beforeAll(async () => {
    pipe = await StableDiffusionPipeline.fromPretrained(sd1, { device: 'cpu' })
    img2img = StableDiffusionImg2ImgPipeline.fromPipe(pipe)
  })
  afterAll(async () => {
    await pipe.dispose()
    await img2img.dispose()
  })

  const wrong: readonly (readonly [string, object, RegExp])[] = [
    ['width not divisible', { width: 65 }, /width: got 65, expected a positive multiple of 8/],
    ['height 0', { height: 0 }, /height: got 0, expected a positive multiple of 8/],
    ['0 steps', { numInferenceSteps: 0 }, /numInferenceSteps: got 0, expected a positive integer/],
    ['negative steps', { numInferenceSteps: -3 }, /numInferenceSteps: got -3/],
    ['NaN steps', { numInferenceSteps: Number.NaN }, /numInferenceSteps: got NaN/],
    ['guidance NaN', { guidanceScale: Number.NaN }, /guidanceScale: got NaN, expected 0 or more/],
    ['guidance rescale above 1', { guidanceRescale: 2 }, /guidanceRescale: got 2, expected 0 to 1/],
    ['no prompt', { prompt: undefined }, /got neither prompt nor promptEmbeds/],
    ['an empty list of prompts', { prompt: [] }, /prompt: got an empty list/],
    ['a prompt that is no text', { prompt: 5 }, /prompt: got number, expected a text/],
    [
      'negative prompts of another number',
      { prompt: ['a', 'b', 'c'], negativePrompt: ['d', 'e'] },
      /got 2 texts, expected 1 or 3/,
    ],
    [
      'latents of the wrong shape',
      { latents: new Tensor('float32', new Float32Array(256), [1, 4, 8, 8]), width: 128 },
      /latents has the wrong shape: got \[1, 4, 8, 8\], expected \[1, 4, 8, 16\]/,
    ],
    ['clip skip beyond the layers', { clipSkip: 4 }, /clipSkip: got 4, expected an integer from 0 to 3/],
    ['an unknown option', { guidance_scale: 3 }, /unknown option: got guidance_scale.*closest: guidanceScale/],
    ['an unknown output type', { outputType: 'pil' }, /outputType: got pil, expected image, tensor or latent/],
    ['a generator list of another length', { seed: [1, 2] }, /seed: got a list of 2, expected 1/],
    ['timesteps for a scheduler without', { timesteps: [900, 500] }, /PNDMScheduler/],
    [
      'embeddings of another width',
      { prompt: undefined, promptEmbeds: new Tensor('float32', new Float32Array(77 * 8), [1, 77, 8]) },
      /promptEmbeds has the wrong shape/,
    ],
  ]

  it.each(wrong)('%s', async (_, options, message) => {
    const error = await rejection(
      pipe.run({ prompt: 'a star', numInferenceSteps: 2, ...options } as StableDiffusionOptions),
    )
    expect(error).toBeInstanceOf(InvalidArgumentError)
    expect(error.message).toMatch(message)
  })

  const image = fixture('goldens/pipelines/init.png')
  it.each([
    ['strength above 1', { image, strength: 1.5 }, /strength: got 1.5, expected 0 to 1/],
    ['strength below 0', { image, strength: -0.1 }, /strength: got -0.1/],
    ['strength NaN', { image, strength: Number.NaN }, /strength: got NaN/],
    ['a strength that leaves no step', { image, strength: 0.1 }, /leaves no step, expected at least 0.25/],
    ['no image', { image: undefined }, /image: got undefined/],
    ['a number for an image', { image: 5 }, /not an image: got 5/],
    ['an empty list of images', { image: [] }, /list of images is empty/],
  ] as const)('image to image: %s', async (_, options, message) => {
    const error = await rejection(
      img2img.run({ prompt: 'a star', numInferenceSteps: 4, ...(options as { image: string }) }),
    )
    expect(error).toBeInstanceOf(InvalidArgumentError)
    expect(error.message).toMatch(message)
  })

  it('image to image: bytes and files that are no image', async () => {
    const bytes = await rejection(img2img.run({ prompt: 'a star', image: new Uint8Array(100) }))
    expect(bytes).toBeInstanceOf(FormatError)
    const file = await rejection(img2img.run({ prompt: 'a star', image: fixture('goldens/README.md') }))
    expect(file).toBeInstanceOf(FormatError)
    const missing = await rejection(img2img.run({ prompt: 'a star', image: 'no-such-file.png' }))
    expect(missing).toBeInstanceOf(NotFoundError)
  })

  it('a pipeline that was disposed of', async () => {
    const other = await StableDiffusionPipeline.fromPretrained(sd1, { device: 'cpu' })
    await other.dispose()
    await other.dispose()
    expect(await rejection(other.run({ prompt: 'a star' }))).toBeInstanceOf(StateError)
  })
})
