import { Tensor } from 'onnxruntime-common'
import { describe, it } from 'vitest'
import { AutoencoderKL } from '../../src/models/autoencoder-kl'
import { CLIPTextModel, CLIPTextModelWithProjection } from '../../src/models/clip-text'
import type { ModelOptions } from '../../src/models/model'
import { UNet2DConditionModel } from '../../src/models/unet-2d-condition'
import { localRepository } from '../../src/platform/node/files'
import { OnnxRuntimeNodeBackend } from '../../src/platform/node/onnxruntime'
import { expectClose, fixture, goldenTensors } from '../goldens'

// float32 on both sides: what is left is the order of sums, a few 1e-6 of the largest value.
const tolerance = 1e-4

const backend = new OnnxRuntimeNodeBackend()
const repository = (name: string) => localRepository(fixture(`models/${name}`))
const options = (subfolder: string): ModelOptions => ({ backend, device: 'cpu', subfolder })

function int32(tensor: Tensor): Tensor {
  return new Tensor('int32', Int32Array.from(tensor.data as Float32Array), tensor.dims)
}

describe('CLIPTextModel', () => {
  it.each(['tiny-sd1', 'tiny-sd2-v', 'tiny-sdxl'])('%s equals transformers', async (name) => {
    const golden = await goldenTensors(`pipelines/clip-${name}-text_encoder.safetensors`)
    const model = await CLIPTextModel.fromPretrained(await repository(name), options('text_encoder'))
    const output = await model.run({ inputIds: int32(golden.input_ids) })
    expectClose(output.lastHiddenState, golden.last_hidden_state, tolerance, 'lastHiddenState')
    expectClose(output.hiddenStates[output.hiddenStates.length - 2], golden.penultimate, tolerance, 'penultimate')
    expectClose(output.poolerOutput, golden.pooler_output, tolerance, 'poolerOutput')
    await model.dispose()
  })

  it('CLIPTextModelWithProjection equals transformers', async () => {
    const golden = await goldenTensors('pipelines/clip-tiny-sdxl-text_encoder_2.safetensors')
    const model = await CLIPTextModelWithProjection.fromPretrained(
      await repository('tiny-sdxl'),
      options('text_encoder_2'),
    )
    const output = await model.run({ inputIds: int32(golden.input_ids) })
    expectClose(output.lastHiddenState, golden.last_hidden_state, tolerance, 'lastHiddenState')
    expectClose(output.hiddenStates[output.hiddenStates.length - 2], golden.penultimate, tolerance, 'penultimate')
    expectClose(output.textEmbeds, golden.text_embeds, tolerance, 'textEmbeds')
    await model.dispose()
  })
})

describe('UNet2DConditionModel', () => {
  it.each([
    ['unet-tiny-sd1-8x8', 'tiny-sd1'],
    ['unet-tiny-sd1-8x16', 'tiny-sd1'],
    ['unet-tiny-sd2-v-16x8', 'tiny-sd2-v'],
    ['unet-tiny-pix2pix', 'tiny-pix2pix'],
    ['unet-tiny-inpaint', 'tiny-inpaint'],
  ])('%s equals diffusers', async (id, name) => {
    const golden = await goldenTensors(`pipelines/${id}.safetensors`)
    const model = await UNet2DConditionModel.fromPretrained(await repository(name), options('unet'))
    const { sample } = await model.run({
      sample: golden.sample,
      timestep: Array.from(golden.timestep.data as Float32Array),
      encoderHiddenStates: golden.encoder_hidden_states,
    })
    expectClose(sample, golden.out_sample, tolerance, id)
    await model.dispose()
  })
})

describe('AutoencoderKL', () => {
  it('vae-tiny-sd1 equals diffusers in both directions', async () => {
    const golden = await goldenTensors('pipelines/vae-tiny-sd1.safetensors')
    const model = await AutoencoderKL.fromPretrained(await repository('tiny-sd1'), options('vae'))
    const { latentDist } = await model.encode(golden.sample)
    expectClose(latentDist.mean, golden.mean, tolerance, 'mean')
    expectClose(latentDist.logvar, golden.logvar, tolerance, 'logvar')
    const { sample } = await model.decode(golden.latent)
    expectClose(sample, golden.decoded, tolerance, 'decoded')
    await model.dispose()
  })
})
