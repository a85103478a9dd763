import { type Activation, parseActivation } from '../layers/basic'
import { ConfigReader, isCount, type RawConfig } from './config-reader'

/** The typed config of an {@link AutoencoderKL}. */
export interface AutoencoderKLConfig {
  readonly inChannels: number
  readonly outChannels: number
  readonly latentChannels: number
  /** Channels of each level, the finest first. */
  readonly channels: readonly number[]
  readonly layersPerBlock: number
  readonly activation: Activation
  readonly groups: number
  /** Latents are multiplied by it behind the encoder, and divided by it before the decoder. */
  readonly scalingFactor: number
  /** Taken off the latents before they are scaled; 0 for most. */
  readonly shiftFactor: number
  readonly useQuantConv: boolean
  readonly usePostQuantConv: boolean
  readonly midAttention: boolean
  /** The network overflows in float16. */
  readonly forceUpcast: boolean
}

/**
 * Reads `vae/config.json` (diffusers `AutoencoderKL`).
 *
 * @throws UnsupportedError that names the option.
 */
export function parseAutoencoderKLConfig(raw: RawConfig, part = 'AutoencoderKL'): AutoencoderKLConfig {
  const read = new ConfigReader(part, raw)
  const channels = read.counts('block_out_channels', [64])
  read.namesOf('down_block_types', ['DownEncoderBlock2D'], ['DownEncoderBlock2D'])
  read.namesOf('up_block_types', ['UpDecoderBlock2D'], ['UpDecoderBlock2D'])
  const [layersPerBlock] = read.perLevel('layers_per_block', 1, 1, isCount)
  read.only('latents_mean', undefined)
  read.only('latents_std', undefined)
  return {
    inChannels: read.count('in_channels', 3),
    outChannels: read.count('out_channels', 3),
    latentChannels: read.count('latent_channels', 4),
    channels,
    layersPerBlock,
    activation: parseActivation(read.value('act_fn') ?? 'silu', 'act_fn'),
    groups: read.count('norm_num_groups', 32),
    scalingFactor: read.number('scaling_factor', 0.18215),
    shiftFactor: read.number('shift_factor', 0),
    useQuantConv: read.boolean('use_quant_conv', true),
    usePostQuantConv: read.boolean('use_post_quant_conv', true),
    midAttention: read.boolean('mid_block_add_attention', true),
    forceUpcast: read.boolean('force_upcast', true),
  }
}
