import { Tensor } from 'onnxruntime-common'
import { expect, it } from 'vitest'
import { concatBatch, linearCombination } from '../../src/core/tensor'
import { preprocess, readImages } from '../../src/image/pixels'
import {
  AutoencoderKL,
  CLIPTextModel,
  CLIPTextModelWithProjection,
  CLIPTokenizer,
  Generator,
  LCMScheduler,
  type Repository,
  StableDiffusionPipeline,
  schedulerFromConfig,
  UNet2DConditionModel,
} from '../../src/node'
import { denoise } from '../../src/pipelines/denoise'
import { guide } from '../../src/pipelines/guidance'
import { expectClose, fixture, goldenTensors } from '../goldens'
import { fileJson, overlay, tinyRepository } from '../repositories'

/*
 * Options of the UNet that only the goldens of whole pipelines cover: guidance embedding, class embedding with
 * only_cross_attention and seven input channels, text_time with transformer layers a block. The pipelines come later; here
 * a few lines stand for each. Tolerance as for all pipelines: 1e-3 of the largest latent.
 */
const tolerance = 1e-3
const prompt = 'a photo of a red circle on a blue background'
const negativePrompt = 'blurry, low quality'

async function drain<T, R>(steps: AsyncGenerator<T, R>): Promise<R> {
  for (;;) {
    const next = await steps.next()
    if (next.done) return next.value
  }
}

async function schedulerOf(repository: Repository, folder = 'scheduler') {
  return schedulerFromConfig(await fileJson(repository, `${folder}/scheduler_config.json`))
}

it('a guidance embedding (latent consistency)', async () => {
  const repository = tinyRepository('tiny-lcm')
  const index = await fileJson(repository, 'model_index.json')
  const files = { 'model_index.json': { ...index, _class_name: 'StableDiffusionPipeline' } }
  const pipe = await StableDiffusionPipeline.fromPretrained(overlay(repository, files), { device: 'cpu' })
  expect(pipe.scheduler).toBeInstanceOf(LCMScheduler)
  const call = { prompt, numInferenceSteps: 4, guidanceScale: 8.5, height: 64, width: 64, seed: 0 }
  const { images } = await pipe.run({ ...call, outputType: 'latent' })
  const golden = await goldenTensors('pipelines/lcm.safetensors')
  expectClose(images, golden.latents, tolerance, 'latents')
  await pipe.dispose()
})

it('a class embedding, seven input channels, only_cross_attention (upscaling)', async () => {
  const repository = tinyRepository('tiny-upscale')
  const options = (subfolder: string) => ({ device: 'cpu', subfolder }) as const
  const unet = await UNet2DConditionModel.fromPretrained(repository, options('unet'))
  const textEncoder = await CLIPTextModel.fromPretrained(repository, options('text_encoder'))
  const tokenizer = await CLIPTokenizer.fromRepository(repository)
  const context = await textEncoder.encode(tokenizer.tokenize(['', prompt]).inputIds)

  const scheduler = await schedulerOf(repository)
  scheduler.setTimesteps(4)
  const generator = new Generator(0)
  const image = preprocess(await readImages(fixture('goldens/pipelines/lowres.png')), { vaeScaleFactor: 1 })
  const lowRes = await schedulerOf(repository, 'low_res_scheduler')
  const noisy = lowRes.addNoise(image, generator.randn(image.dims), [20])
  const noise = generator.randn([1, 4, image.dims[2], image.dims[3]])
  const latents = linearCombination([scheduler.initNoiseSigma], [noise])
  const predict = async (input: Tensor, timestep: number) => {
    const data = new Float32Array(input.size + noisy.size)
    data.set(input.data as Float32Array)
    data.set(noisy.data as Float32Array, input.size)
    const one = new Tensor('float32', data, [1, 7, input.dims[2], input.dims[3]])
    const { sample } = await unet.run({
      sample: concatBatch([one, one]),
      timestep,
      encoderHiddenStates: context,
      classLabels: [20, 20],
    })
    return guide(sample, 5, 0)
  }
  const stepOptions = { generator, eta: 0 }
  const result = await drain(denoise({ scheduler, timesteps: scheduler.timesteps, latents, predict, stepOptions }))
  const golden = await goldenTensors('pipelines/upscale.safetensors')
  expectClose(result, golden.latents, tolerance, 'latents')
  await unet.dispose()
  await textEncoder.dispose()
})

it('text_time conditions and transformer layers a block (SDXL)', async () => {
  const repository = tinyRepository('tiny-sdxl')
  const options = (subfolder: string) => ({ device: 'cpu', subfolder }) as const
  const unet = await UNet2DConditionModel.fromPretrained(repository, options('unet'))
  const first = await CLIPTextModel.fromPretrained(repository, options('text_encoder'))
  const second = await CLIPTextModelWithProjection.fromPretrained(repository, options('text_encoder_2'))
  const texts = [negativePrompt, prompt]
  const idsOf = async (folder: string) =>
    (await CLIPTokenizer.fromRepository(repository, folder)).tokenize(texts).inputIds
  const a = (await first.run({ inputIds: await idsOf('tokenizer') })).hiddenStates.at(-2)
  const { hiddenStates, textEmbeds } = await second.run({ inputIds: await idsOf('tokenizer_2') })
  const b = hiddenStates.at(-2)
  if (!a || !b) throw new Error('a text encoder has no states')
  const encoderHiddenStates = joinChannels(a, b)

  const scheduler = await schedulerOf(repository)
  scheduler.setTimesteps(5)
  const generator = new Generator(0)
  const latents = linearCombination([scheduler.initNoiseSigma], [generator.randn([1, 4, 8, 8])])
  const timeIds = [0, 1].map(() => [64, 64, 0, 0, 64, 64])
  const predict = async (input: Tensor, timestep: number) => {
    const sample = concatBatch([input, input])
    const { sample: prediction } = await unet.run({
      sample,
      timestep,
      encoderHiddenStates,
      addedCond: { textEmbeds, timeIds },
    })
    return guide(prediction, 5, 0)
  }
  const result = await drain(
    denoise({ scheduler, timesteps: scheduler.timesteps, latents, predict, stepOptions: { generator } }),
  )
  const golden = await goldenTensors('pipelines/sdxl-txt2img.safetensors')
  expectClose(result, golden.latents, tolerance, 'latents')
  for (const model of [unet, first, second]) await model.dispose()
})

it('an autoencoder of another depth and scale', async () => {
  const golden = await goldenTensors('pipelines/upscale.safetensors')
  const vae = await AutoencoderKL.fromPretrained(tinyRepository('tiny-upscale'), { device: 'cpu', subfolder: 'vae' })
  const { sample } = await vae.decode(linearCombination([1 / vae.config.scalingFactor], [golden.latents]))
  const image = new Tensor(
    'float32',
    (sample.data as Float32Array).map((value) => Math.min(Math.max(value / 2 + 0.5, 0), 1)),
    sample.dims,
  )
  expectClose(image, golden.image, 2e-3, 'image')
  await vae.dispose()
})

/** [batch, tokens, m] and [batch, tokens, n] as [batch, tokens, m + n]. */
function joinChannels(a: Tensor, b: Tensor): Tensor {
  const [batch, tokens, m] = a.dims
  const n = b.dims[2]
  const data = new Float32Array(batch * tokens * (m + n))
  for (let row = 0; row < batch * tokens; row++) {
    data.set((a.data as Float32Array).subarray(row * m, (row + 1) * m), row * (m + n))
    data.set((b.data as Float32Array).subarray(row * n, (row + 1) * n), row * (m + n) + m)
  }
  return new Tensor('float32', data, [batch, tokens, m + n])
}
