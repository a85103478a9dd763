import { type Activation, parseActivation } from '../layers/basic'
import type { ResnetOptions } from '../layers/resnet'
import { ConfigReader, isBoolean, isCount, type RawConfig } from './config-reader'

/** The spatial transformers of one level. */
export interface LevelAttention {
  readonly heads: number
  /** Transformer blocks in each of the level's transformers, in their order. */
  readonly layers: readonly number[]
  readonly contextChannels: number
  readonly onlyCrossAttention: boolean
}

/** One resolution of the network: its residual blocks, and its transformers if it has any. */
export interface Level {
  readonly channels: number
  /** Number of residual blocks. */
  readonly blocks: number
  readonly attention?: LevelAttention
}

/** What is added to the time embedding besides the time. */
export type ClassEmbedding =
  | { readonly kind: 'none' }
  /** A table of learned vectors, looked up by an integer. */
  | { readonly kind: 'table'; readonly count: number }
  /** A number, embedded as a timestep is. */
  | { readonly kind: 'timestep' }
  /** A vector, added as it is. */
  | { readonly kind: 'identity' }
  /** A vector of `channels`, through two layers. */
  | { readonly kind: 'projection'; readonly channels: number }
  /** A vector of `channels`, through one layer. */
  | { readonly kind: 'simple_projection'; readonly channels: number }

/** The typed config of a {@link UNet2DConditionModel}. */
export interface UNet2DConditionConfig {
  /** Height and width of the latents that it was trained on. */
  readonly sampleSize?: readonly [height: number, width: number]
  readonly inChannels: number
  readonly outChannels: number
  readonly centerInputSample: boolean
  readonly convInKernel: number
  readonly convOutKernel: number
  readonly activation: Activation
  /** Groups of the last norm; absent: no norm. */
  readonly outputGroups?: number
  readonly epsilon: number
  readonly flipSinToCos: boolean
  readonly frequencyShift: number
  /** Width of the time embedding. */
  readonly timeChannels: number
  readonly timeActivation?: Activation
  readonly timePostActivation?: Activation
  /** Width of the guidance embedding (latent consistency models); absent: none. */
  readonly timeConditionChannels?: number
  readonly classEmbedding: ClassEmbedding
  /** The class embedding is appended to the time embedding instead of added. */
  readonly classEmbeddingsConcat: boolean
  /** SDXL's size conditions: width of one number's embedding, and of text embedding and all numbers together. */
  readonly textTime?: { readonly timeChannels: number; readonly inputChannels: number }
  readonly useTimeActivation: boolean
  readonly resnet: ResnetOptions
  readonly transformerGroups: number
  readonly upcastAttention: boolean
  readonly downsamplePadding: number
  readonly down: readonly Level[]
  readonly mid?: Level & { readonly outputScale: number }
  readonly up: readonly Level[]
  /** Width of the text embedding that the first level looks at. */
  readonly crossAttentionDim: number
}

/**
 * Reads `unet/config.json` (diffusers `UNet2DConditionModel`).
 *
 * @throws UnsupportedError that names the option.
 */
export function parseUNet2DConditionConfig(raw: RawConfig, part = 'UNet2DConditionModel'): UNet2DConditionConfig {
  const read = new ConfigReader(part, raw)
  const unsupported = ['dual_cross_attention', 'encoder_hid_dim', 'encoder_hid_dim_type', 'cross_attention_norm']
  for (const key of unsupported) if (read.value(key) !== false) read.only(key, undefined)
  read.only('time_embedding_type', 'positional')
  read.only('attention_type', 'default')

  const channels = read.counts('block_out_channels', [320, 640, 1280, 1280])
  const levels = channels.length
  const downTypes = read.namesOf(
    'down_block_types',
    ['CrossAttnDownBlock2D', 'DownBlock2D'],
    ['CrossAttnDownBlock2D', 'CrossAttnDownBlock2D', 'CrossAttnDownBlock2D', 'DownBlock2D'],
  )
  const upTypes = read.namesOf(
    'up_block_types',
    ['CrossAttnUpBlock2D', 'UpBlock2D'],
    ['UpBlock2D', 'CrossAttnUpBlock2D', 'CrossAttnUpBlock2D', 'CrossAttnUpBlock2D'],
  )
  if (downTypes.length !== levels) throw read.wrong('down_block_types', `one for each of ${levels} block_out_channels`)
  if (upTypes.length !== levels) throw read.wrong('up_block_types', `one for each of ${levels} block_out_channels`)

  // diffusers calls the number of heads attention_head_dim, for the sake of its first checkpoints.
  const headsKey = read.value('num_attention_heads') === undefined ? 'attention_head_dim' : 'num_attention_heads'
  const heads = read.perLevel(headsKey, levels, 8, isCount)
  const blocks = read.perLevel('layers_per_block', levels, 2, isCount)
  const contextChannels = read.perLevel('cross_attention_dim', levels, 1280, isCount)
  const onlyCross = read.perLevel('only_cross_attention', levels, false, isBoolean)
  const transformerLayers = read.perLevel('transformer_layers_per_block', levels, 1, isCountOrCounts)
  const upLayers = [...transformerLayers].reverse()
  const reversed = read.value('reverse_transformer_layers_per_block')
  const upTransformerLayers =
    reversed === undefined
      ? upLayers
      : read.perLevel('reverse_transformer_layers_per_block', levels, 1, isCountOrCounts)
  heads.forEach((count, i) => {
    if (channels[i] % count !== 0) throw read.wrong(headsKey, `a divisor of the ${channels[i]} channels of level ${i}`)
  })

  const level = (i: number, count: number, withAttention: boolean, layers: number | readonly number[]): Level => ({
    channels: channels[i],
    blocks: count,
    attention: withAttention
      ? {
          heads: heads[i],
          layers: typeof layers === 'number' ? Array.from({ length: count }, () => layers) : layers,
          contextChannels: contextChannels[i],
          onlyCrossAttention: onlyCross[i],
        }
      : undefined,
  })
  const activation = parseActivation(read.value('act_fn') ?? 'silu', 'act_fn')
  const optionalActivation = (key: string) => {
    const value = read.value(key)
    return value === undefined ? undefined : parseActivation(value, key)
  }
  const timeChannels =
    read.value('time_embedding_dim') === undefined ? channels[0] * 4 : read.count('time_embedding_dim')
  const classEmbedding = parseClassEmbedding(read)
  const classEmbeddingsConcat = read.boolean('class_embeddings_concat', false)
  const groups = read.optionalNumber('norm_num_groups') ?? (raw.norm_num_groups === null ? undefined : 32)
  const epsilon = read.number('norm_eps', 1e-5)
  const resnet: ResnetOptions = {
    groups: groups ?? 32,
    epsilon,
    activation,
    timeChannels: classEmbeddingsConcat ? 2 * timeChannels : timeChannels,
    timeScaleShift: read.oneOf<'default' | 'scale_shift'>(
      'resnet_time_scale_shift',
      ['default', 'scale_shift'],
      'default',
    ),
    outputScale: read.number('resnet_out_scale_factor', 1),
  }
  const last = levels - 1
  return {
    sampleSize: parseSampleSize(read),
    inChannels: read.count('in_channels', 4),
    outChannels: read.count('out_channels', 4),
    centerInputSample: read.boolean('center_input_sample', false),
    convInKernel: read.count('conv_in_kernel', 3),
    convOutKernel: read.count('conv_out_kernel', 3),
    activation,
    outputGroups: groups,
    epsilon,
    flipSinToCos: read.boolean('flip_sin_to_cos', true),
    frequencyShift: read.number('freq_shift', 0),
    timeChannels,
    timeActivation: optionalActivation('time_embedding_act_fn'),
    timePostActivation: optionalActivation('timestep_post_act'),
    timeConditionChannels:
      read.value('time_cond_proj_dim') === undefined ? undefined : read.count('time_cond_proj_dim'),
    classEmbedding,
    classEmbeddingsConcat,
    textTime: parseTextTime(read),
    useTimeActivation: !read.boolean('resnet_skip_time_act', false),
    resnet,
    transformerGroups: groups ?? 32,
    upcastAttention: read.boolean('upcast_attention', false),
    downsamplePadding: read.number('downsample_padding', 1),
    down: downTypes.map((type, i) => level(i, blocks[i], type === 'CrossAttnDownBlock2D', transformerLayers[i])),
    mid: parseMid(read, level(last, 1, true, lastOf(transformerLayers[last]))),
    up: upTypes.map((type, i) => {
      const layers = upTransformerLayers[i]
      return level(last - i, blocks[last - i] + 1, type === 'CrossAttnUpBlock2D', layers)
    }),
    crossAttentionDim: contextChannels[0],
  }
}

function isCountOrCounts(value: unknown): value is number | readonly number[] {
  return isCount(value) || (Array.isArray(value) && value.every(isCount))
}

function lastOf(layers: number | readonly number[]): number {
  return typeof layers === 'number' ? layers : (layers.at(-1) ?? 1)
}

function parseSampleSize(read: ConfigReader): readonly [number, number] | undefined {
  const value = read.value('sample_size')
  if (value === undefined) return undefined
  const [height, width = height] = typeof value === 'number' ? [value] : read.counts('sample_size')
  return [height, width]
}

function parseMid(read: ConfigReader, level: Level): (Level & { outputScale: number }) | undefined {
  // null means no middle block; an absent option means the usual one.
  if (read.has('mid_block_type') && read.value('mid_block_type') === undefined) return undefined
  const name = read.oneOf('mid_block_type', ['UNetMidBlock2DCrossAttn', 'UNetMidBlock2D'], 'UNetMidBlock2DCrossAttn')
  const only = read.value('only_cross_attention')
  const midOnly = read.boolean('mid_block_only_cross_attention', only === true)
  const outputScale = read.number('mid_block_scale_factor', 1)
  if (name === 'UNetMidBlock2D' || !level.attention) return { ...level, attention: undefined, outputScale }
  return { ...level, attention: { ...level.attention, onlyCrossAttention: midOnly }, outputScale }
}

function parseClassEmbedding(read: ConfigReader): ClassEmbedding {
  const kinds = ['none', 'timestep', 'identity', 'projection', 'simple_projection'] as const
  const kind = read.oneOf('class_embed_type', kinds, 'none')
  if (kind === 'none') {
    return read.value('num_class_embeds') === undefined
      ? { kind: 'none' }
      : { kind: 'table', count: read.count('num_class_embeds') }
  }
  if (kind === 'timestep' || kind === 'identity') return { kind }
  return { kind, channels: read.count('projection_class_embeddings_input_dim') }
}

function parseTextTime(read: ConfigReader): UNet2DConditionConfig['textTime'] {
  if (read.value('addition_embed_type') === undefined) return undefined
  read.only('addition_embed_type', 'text_time')
  return {
    timeChannels: read.count('addition_time_embed_dim'),
    inputChannels: read.count('projection_class_embeddings_input_dim'),
  }
}
