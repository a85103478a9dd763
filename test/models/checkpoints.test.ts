import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import { presentAttentionName } from '../../src/checkpoints/attention-names'
import { Checkpoint } from '../../src/checkpoints/checkpoint'
import { AutoencoderKL, localRepository, SafetensorsFile, UNet2DConditionModel, writeSafetensors } from '../../src/node'
import { expectClose, goldenTensors } from '../goldens'
import { fileBytes, overlay, tinyRepository } from '../repositories'

const sd1 = tinyRepository('tiny-sd1')
const path = 'vae/diffusion_pytorch_model.safetensors'
const options = { device: 'cpu', subfolder: 'vae' } as const

interface Stored {
  readonly dtype: 'F32'
  readonly shape: readonly number[]
  readonly data: Uint8Array
}

/** The weights of tiny-sd1's autoencoder, each stored as `change` says. */
async function stored(change: (name: string, tensor: Stored) => readonly [string, Stored]): Promise<Uint8Array> {
  const file = await SafetensorsFile.fromBytes(await fileBytes(sd1, path))
  const entries: (readonly [string, Stored])[] = []
  for (const { name, shape } of file.tensors.values()) {
    entries.push(change(name, { dtype: 'F32', shape, data: await file.read(name) }))
  }
  return writeSafetensors(Object.fromEntries(entries))
}

describe('checkpoints of other times', () => {
  it('an autoencoder under the names and shapes of 2022 decodes as under those of today', async () => {
    const old: Record<string, string> = { to_q: 'query', to_k: 'key', to_v: 'value', 'to_out.0': 'proj_attn' }
    const bytes = await stored((name, tensor) => {
      const renamed = name.replace(/(?<=attentions\.0\.)(to_q|to_k|to_v|to_out\.0)/, (part) => old[part])
      const isProjection = renamed !== name && tensor.shape.length === 2
      return [renamed, isProjection ? { ...tensor, shape: [...tensor.shape, 1, 1] } : tensor]
    })
    const golden = await goldenTensors('pipelines/vae-tiny-sd1.safetensors')
    const model = await AutoencoderKL.fromPretrained(overlay(sd1, { [path]: bytes }), options)
    expect(model.unusedWeights).toEqual([])
    // float32 on both sides, as in the goldens of the models.
    expectClose((await model.decode(golden.latent)).sample, golden.decoded, 1e-4, 'decoded')
    await model.dispose()
  })

  it('only the attention of an autoencoder is renamed', () => {
    expect(presentAttentionName('decoder.mid_block.attentions.0.proj_attn.bias')).toBe(
      'decoder.mid_block.attentions.0.to_out.0.bias',
    )
    for (const name of ['key.weight', 'attentions.0.to_q.weight', 'attentions.0.key.lora_A.weight']) {
      expect(presentAttentionName(name)).toBe(name)
    }
  })
})

describe('weights that the network has no use for', () => {
  it('are reported and named', async () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined)
    const extra = { dtype: 'F32', shape: [1], data: new Uint8Array(4) } as const
    const file = await SafetensorsFile.fromBytes(await fileBytes(sd1, path))
    const tensors: Record<string, Stored> = { 'decoder.unknown.weight': extra }
    for (const { name, shape } of file.tensors.values())
      tensors[name] = { dtype: 'F32', shape, data: await file.read(name) }
    const model = await AutoencoderKL.fromPretrained(overlay(sd1, { [path]: writeSafetensors(tensors) }), options)
    expect(model.unusedWeights).toEqual(['decoder.unknown.weight'])
    expect(warn.mock.calls.flat().join()).toContain('holds 1 tensors that are not used: decoder.unknown.weight')
    warn.mockRestore()
    await model.dispose()
  })

  it('none, in the repositories as they are', async () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined)
    for (const name of [
      'tiny-sd1',
      'tiny-sd2-v',
      'tiny-sdxl',
      'tiny-lcm',
      'tiny-upscale',
      'tiny-inpaint',
      'tiny-pix2pix',
    ]) {
      const model = await UNet2DConditionModel.fromPretrained(tinyRepository(name), {
        device: 'cpu',
        subfolder: 'unet',
      })
      expect(model.unusedWeights).toEqual([])
      await model.dispose()
    }
    expect(warn).not.toHaveBeenCalled()
    warn.mockRestore()
  })
})

describe('sharded weights', () => {
  const unetPath = 'unet/diffusion_pytorch_model'
  async function shards(): Promise<Record<string, Uint8Array | object | undefined>> {
    const file = await SafetensorsFile.fromBytes(await fileBytes(sd1, `${unetPath}.safetensors`))
    const halves: Record<string, Stored>[] = [{}, {}]
    const weightMap: Record<string, string> = {}
    const names = [
      'diffusion_pytorch_model-00001-of-00002.safetensors',
      'diffusion_pytorch_model-00002-of-00002.safetensors',
    ]
    let index = 0
    for (const { name, shape } of file.tensors.values()) {
      const half = index++ % 2
      halves[half][name] = { dtype: 'F32', shape, data: await file.read(name) }
      weightMap[name] = names[half]
    }
    return {
      [`${unetPath}.safetensors`]: undefined,
      [`${unetPath}.safetensors.index.json`]: { metadata: { total_size: file.source.size }, weight_map: weightMap },
      [`unet/${names[0]}`]: writeSafetensors(halves[0]),
      [`unet/${names[1]}`]: writeSafetensors(halves[1]),
    }
  }

  async function expectGolden(repository: Parameters<typeof overlay>[0]): Promise<void> {
    const golden = await goldenTensors('pipelines/unet-tiny-sd1-8x8.safetensors')
    const model = await UNet2DConditionModel.fromPretrained(repository, { device: 'cpu', subfolder: 'unet' })
    const { sample } = await model.run({
      sample: golden.sample,
      timestep: Array.from(golden.timestep.data as Float32Array),
      encoderHiddenStates: golden.encoder_hidden_states,
    })
    expectClose(sample, golden.out_sample, 1e-4, 'sample')
    await model.dispose()
  }

  it('give the same network, from memory and from files', async () => {
    const files = await shards()
    await expectGolden(overlay(sd1, files))

    const folder = await mkdtemp(join(tmpdir(), 'latentkit-shards-'))
    await mkdir(join(folder, 'unet'))
    await writeFile(join(folder, 'unet/config.json'), await fileBytes(sd1, 'unet/config.json'))
    for (const [name, content] of Object.entries(files)) {
      if (!content) continue
      await writeFile(join(folder, name), content instanceof Uint8Array ? content : JSON.stringify(content))
    }
    await expectGolden(localRepository(folder))
    await rm(folder, { recursive: true })
  })

  it('the variant asked for comes first, and a component without it is taken plain', async () => {
    const fp16 = overlay(sd1, { [`${unetPath}.fp16.safetensors`]: await fileBytes(sd1, `${unetPath}.safetensors`) })
    const open = (folder: string, stem: string) => Checkpoint.open(fp16, folder, stem, 'fp16')
    expect((await open('unet', 'diffusion_pytorch_model')).name).toBe(`${unetPath}.fp16.safetensors`)
    expect((await open('text_encoder', 'model')).name).toContain('text_encoder/model.safetensors')
  })
})
