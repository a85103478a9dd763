import { existsSync } from 'node:fs'
import { mkdir, open, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Checkpoint } from '../src/checkpoints/checkpoint'
import { Scope } from '../src/checkpoints/scope'
import { bytesSource } from '../src/core/file'
import type { WeightRef } from '../src/core/weights'
import { cpuForms } from '../src/graph/forms'
import { Graph } from '../src/graph/graph'
import { buildUNet } from '../src/models/unet-2d-condition'
import { parseUNet2DConditionConfig } from '../src/models/unet-2d-condition-config'

/** The UNet of Stable Diffusion 1.5: 860 million parameters. */
const config = {
  _class_name: 'UNet2DConditionModel',
  act_fn: 'silu',
  attention_head_dim: 8,
  block_out_channels: [320, 640, 1280, 1280],
  cross_attention_dim: 768,
  down_block_types: ['CrossAttnDownBlock2D', 'CrossAttnDownBlock2D', 'CrossAttnDownBlock2D', 'DownBlock2D'],
  up_block_types: ['UpBlock2D', 'CrossAttnUpBlock2D', 'CrossAttnUpBlock2D', 'CrossAttnUpBlock2D'],
  in_channels: 4,
  out_channels: 4,
  layers_per_block: 2,
  norm_num_groups: 32,
  sample_size: 64,
}

/** A scope that holds no weights: it notes which ones a network asks for. */
class RecordingScope extends Scope {
  constructor(
    readonly asked: Map<string, readonly number[]>,
    path = '',
  ) {
    super(new Checkpoint('recording', new Map()), path)
  }

  override at(path: string | number): Scope {
    return new RecordingScope(this.asked, this.path ? `${this.path}.${path}` : `${path}`)
  }

  override tensor(name: string, shape: readonly number[]): WeightRef {
    const full = `${this.path}.${name}`
    this.asked.set(full, shape)
    return { name: full, type: 'F32', shape, file: bytesSource(new Uint8Array(), 'none'), offset: 0, length: 0 }
  }
}

/**
 * Makes a UNet repository of the size of Stable Diffusion 1.5 with random weights (3.4 GB) in `folder`, unless it is
 * there already.
 *
 * @returns The number of bytes of the weights.
 */
export async function makeCheckpoint(folder: string): Promise<number> {
  const shapes = new Map<string, readonly number[]>()
  buildUNet(new Graph('unet', 'fp32', cpuForms), new RecordingScope(shapes), parseUNet2DConditionConfig(config))
  const header: Record<string, { dtype: string; shape: readonly number[]; data_offsets: [number, number] }> = {}
  let end = 0
  for (const [name, shape] of shapes) {
    const bytes = 4 * shape.reduce((product, dim) => product * dim, 1)
    header[name] = { dtype: 'F32', shape, data_offsets: [end, end + bytes] }
    end += bytes
  }
  const path = join(folder, 'diffusion_pytorch_model.safetensors')
  if (existsSync(path)) return end

  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'config.json'), JSON.stringify(config))
  const text = JSON.stringify(header)
  const prefix = Buffer.from(' '.repeat(8) + text.padEnd(Math.ceil(text.length / 8) * 8))
  prefix.writeBigUInt64LE(BigInt(prefix.length - 8))
  const file = await open(`${path}.incomplete`, 'w')
  await file.write(prefix)
  const noise = Float32Array.from({ length: 1 << 20 }, () => Math.random() * 2 - 1)
  for (const [name, shape] of shapes) {
    const size = shape.reduce((product, dim) => product * dim, 1)
    // Weights that keep the variance, norms and biases near 1 and 0: nothing overflows or becomes denormal.
    const inputs = shape.slice(1).reduce((product, dim) => product * dim, 1)
    const isNorm = shape.length === 1 && name.endsWith('weight')
    const block = noise.map((value) =>
      isNorm ? 1 + 0.1 * value : value * Math.sqrt(3 / (shape.length === 1 ? 300 : inputs)),
    )
    for (let done = 0; done < size; done += block.length) {
      const part = block.subarray(0, Math.min(block.length, size - done))
      await file.write(new Uint8Array(part.buffer, 0, part.byteLength))
    }
  }
  await file.close()
  await rename(`${path}.incomplete`, path)
  return end
}
