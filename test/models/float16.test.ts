import { Tensor } from 'onnxruntime-common'
import { expect, it } from 'vitest'
import { AutoencoderKL } from '../../src/models/autoencoder-kl'
import { CLIPTextModel } from '../../src/models/clip-text'
import { UNet2DConditionModel } from '../../src/models/unet-2d-condition'
import { OnnxRuntimeNodeBackend } from '../../src/platform/node/onnxruntime'
import type { GraphSource, Session, SessionOptions } from '../../src/runtime/backend'
import { expectClose, goldenTensors } from '../goldens'
import { tinyRepository } from '../repositories'

/*
 * The graphs as a GPU gets them: float16 inside, float32 at the border, standard operators. There is no GPU here; ONNX
 * Runtime computes float16 nodes on the CPU in float32 and rounds in between, so that types and structure are real and the
 * rounding is at least as good as a GPU's. float16 has 11 bits: each rounding is 5e-4 of a value, and the tiny networks
 * are some 100 operators deep, so 2e-2 of the largest value.
 */
const tolerance = 2e-2

class PretendedGpu extends OnnxRuntimeNodeBackend {
  override createSession(source: GraphSource, options: SessionOptions): Promise<Session> {
    expect(options.device).toBe('cuda')
    return super.createSession(source, { ...options, device: 'cpu' })
  }
}
const options = (subfolder: string) =>
  ({ backend: new PretendedGpu(), device: 'cuda', dtype: 'fp16', subfolder }) as const

it.each([
  ['float32 weights', 'unet-tiny-sd1-8x8', 'tiny-sd1'],
  ['bfloat16 weights', 'unet-tiny-sd2-v-16x8', 'tiny-sd2-v'],
  ['float16 weights', 'unet-tiny-inpaint', 'tiny-inpaint'],
])('UNet2DConditionModel in float16 from %s', async (_, id, name) => {
  const golden = await goldenTensors(`pipelines/${id}.safetensors`)
  const model = await UNet2DConditionModel.fromPretrained(tinyRepository(name), options('unet'))
  const { sample } = await model.run({
    sample: golden.sample,
    timestep: Array.from(golden.timestep.data as Float32Array),
    encoderHiddenStates: golden.encoder_hidden_states,
  })
  expect(sample.type).toBe('float32')
  expectClose(sample, golden.out_sample, tolerance, id)
  await model.dispose()
})

it('CLIPTextModel in float16', async () => {
  const golden = await goldenTensors('pipelines/clip-tiny-sd1-text_encoder.safetensors')
  const model = await CLIPTextModel.fromPretrained(tinyRepository('tiny-sd1'), options('text_encoder'))
  const inputIds = new Tensor('int32', Int32Array.from(golden.input_ids.data as Float32Array), golden.input_ids.dims)
  const { lastHiddenState } = await model.run({ inputIds })
  expectClose(lastHiddenState, golden.last_hidden_state, tolerance, 'lastHiddenState')
  await model.dispose()
})

it('AutoencoderKL stays in float32 where its config says that it overflows', async () => {
  const golden = await goldenTensors('pipelines/vae-tiny-sd1.safetensors')
  const model = await AutoencoderKL.fromPretrained(tinyRepository('tiny-sd1'), options('vae'))
  const { sample } = await model.decode(golden.latent)
  expectClose(sample, golden.decoded, 1e-4, 'decoded')
  await model.dispose()
})
