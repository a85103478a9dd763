import { Tensor } from 'onnxruntime-common'
import { Scope } from '../checkpoints/scope'
import { InvalidArgumentError } from '../core/errors'
import type { Repository } from '../core/file'
import { concatBatch, expectDims, float32Tensor } from '../core/tensor'
import type { Graph, Value } from '../graph/graph'
import * as ops from '../graph/ops'
import { activate, conv2d, embedding, groupNorm, linear } from '../layers/basic'
import { downsample, resnetBlock, upsample } from '../layers/resnet'
import { sinusoidalEmbedding, timeEmbedding } from '../layers/time-embedding'
import { transformer2d } from '../layers/transformer'
import type { Denoiser } from './components'
import { ModelHost, type ModelOptions } from './model'
import type { Network } from './network'
import { type LevelAttention, parseUNet2DConditionConfig, type UNet2DConditionConfig } from './unet-2d-condition-config'

/** What a {@link UNet2DConditionModel} is run on. */
export interface UNet2DConditionInput {
  /** Noisy latents `[batch, inChannels, height, width]`. */
  readonly sample: Tensor
  /** One timestep for all, or one for each item. */
  readonly timestep: number | readonly number[]
  /** Text embedding `[batch, tokens, crossAttentionDim]`. */
  readonly encoderHiddenStates: Tensor
  /** One label an item, or what the config's class embedding takes: `[batch]` or `[batch, channels]`. */
  readonly classLabels?: readonly number[] | Tensor
  /** Guidance embedding `[batch, timeConditionChannels]` (latent consistency models). */
  readonly timestepCond?: Tensor
  /** SDXL's conditions: `textEmbeds` `[batch, channels]`, `timeIds` `[batch][6]`. */
  readonly addedCond?: { readonly textEmbeds: Tensor; readonly timeIds: readonly (readonly number[])[] }
}

/**
 * The denoising network of Stable Diffusion (diffusers `UNet2DConditionModel`; Rombach et al. 2022): latents, a timestep
 * and a text embedding in, the prediction for the latents out.
 */
export class UNet2DConditionModel implements Denoiser {
  private constructor(
    readonly config: UNet2DConditionConfig,
    private readonly network: Network,
    /** Tensors of the checkpoint that the network has no use for. */
    readonly unusedWeights: readonly string[],
  ) {}

  /**
   * Loads `config.json` and `diffusion_pytorch_model.safetensors`.
   *
   * @param source - A local folder, a Hub repository or an opened {@link Repository}.
   * @throws UnsupportedError when the config asks for something that is not supported.
   * @throws CheckpointError when a weight is missing or has the wrong shape.
   */
  static async fromPretrained(source: string | Repository, options: ModelOptions = {}): Promise<UNet2DConditionModel> {
    const host = await ModelHost.open(source, 'diffusion_pytorch_model', 'UNet2DConditionModel', options)
    const config = parseUNet2DConditionConfig(host.config, host.configName)
    const network = host.network('unet', (graph) => buildUNet(graph, new Scope(host.checkpoint), config))
    return new UNet2DConditionModel(config, network, host.unusedWeights())
  }

  /** Predicts; returns `sample` `[batch, outChannels, height, width]`. */
  async run(input: UNet2DConditionInput): Promise<{ sample: Tensor }> {
    const { config } = this
    const { sample, timestep, encoderHiddenStates: context } = input
    const [batch] = sample.dims
    expectDims(sample, [batch, config.inChannels, ...sample.dims.slice(2)], 'unet sample')
    expectDims(context, [batch, context.dims[1], config.crossAttentionDim], 'unet encoderHiddenStates')
    const timesteps = typeof timestep === 'number' ? [timestep] : timestep
    if (timesteps.length !== 1 && timesteps.length !== batch) {
      throw new InvalidArgumentError('unet', `timestep: got ${timesteps.length} numbers, expected 1 or ${batch}`)
    }
    const { out_sample } = await this.network.run({
      sample,
      time_projection: sinusoidalEmbedding(timesteps, config.down[0].channels, config),
      encoder_hidden_states: context,
      ...this.conditions(input, batch),
    })
    return { sample: out_sample }
  }

  /** Whether the weights are in memory. */
  get loaded(): boolean {
    return this.network.loaded
  }

  /** Creates the session now, instead of with the first run. */
  async load(signal?: AbortSignal): Promise<void> {
    await this.network.load(signal)
  }

  /** Releases the weights until they are needed again. */
  unload(): Promise<void> {
    return this.network.unload()
  }

  /** Releases the weights for good. */
  dispose(): Promise<void> {
    return this.network.dispose()
  }

  /** The inputs that only some configs have. */
  private conditions(input: UNet2DConditionInput, batch: number): Record<string, Tensor> {
    const { config } = this
    const { classEmbedding, textTime, timeConditionChannels } = config
    const feeds: Record<string, Tensor> = {}
    const missing = (what: string) => new InvalidArgumentError('unet', `this model needs ${what}: got none`)
    if (classEmbedding.kind !== 'none') {
      const labels = input.classLabels
      if (!labels) throw missing('classLabels')
      feeds.class_labels = classLabelTensor(labels, config, batch)
    }
    // A model that takes a guidance embedding also runs without one, as in diffusers: then it adds nothing.
    if (timeConditionChannels) {
      const cond = input.timestepCond ?? float32Tensor([1, timeConditionChannels])
      if (input.timestepCond) expectDims(cond, [batch, timeConditionChannels], 'unet timestepCond')
      feeds.timestep_cond = cond
    }
    if (textTime) {
      const added = input.addedCond
      if (!added) throw missing('addedCond (textEmbeds and timeIds)')
      const rows = added.timeIds.map((ids) => sinusoidalEmbedding(ids, textTime.timeChannels, config))
      const width = rows[0].size
      feeds.text_embeds = added.textEmbeds
      feeds.time_ids_projection = concatBatch(rows.map((row) => row.reshape([1, width])))
    }
    return feeds
  }
}

function classLabelTensor(labels: readonly number[] | Tensor, config: UNet2DConditionConfig, batch: number): Tensor {
  const { classEmbedding } = config
  if (classEmbedding.kind === 'table' || classEmbedding.kind === 'timestep') {
    const numbers = Array.isArray(labels) ? labels : Array.from((labels as Tensor).data, Number)
    if (numbers.length !== batch) {
      throw new InvalidArgumentError('unet', `classLabels: got ${numbers.length} labels, expected ${batch}`)
    }
    if (classEmbedding.kind === 'timestep') return sinusoidalEmbedding(numbers, config.down[0].channels, config)
    const valid = (label: number) => Number.isSafeInteger(label) && label >= 0 && label < classEmbedding.count
    if (!numbers.every(valid)) {
      throw new InvalidArgumentError(
        'unet',
        `classLabels: got ${numbers}, expected integers below ${classEmbedding.count}`,
      )
    }
    return new Tensor('int64', BigInt64Array.from(numbers, BigInt), [batch])
  }
  if (!(labels instanceof Tensor)) {
    throw new InvalidArgumentError('unet', 'classLabels: got numbers, expected a tensor [batch, channels]')
  }
  const channels = 'channels' in classEmbedding ? classEmbedding.channels : config.timeChannels
  expectDims(labels, [batch, channels], 'unet classLabels')
  return labels
}

/** A value on the way down, kept for the way up. */
interface Skip {
  readonly value: Value
  readonly channels: number
}

/** Adds the network's nodes to a graph; the scope is asked for every weight by name and shape. */
export function buildUNet(graph: Graph, scope: Scope, config: UNet2DConditionConfig): void {
  const { down, mid, up, resnet, activation } = config
  const sample = graph.input('sample', ['batch', config.inChannels, 'height', 'width'])
  const context = graph.input('encoder_hidden_states', ['batch', 'tokens', config.crossAttentionDim])
  const embedded = buildTime(graph, scope, config)
  const time = config.useTimeActivation ? activate(activation, embedded) : embedded

  const transformer = (at: Scope, x: Value, channels: number, { layers, ...options }: LevelAttention, index: number) =>
    transformer2d(at.at(`attentions.${index}`), x, context, {
      ...options,
      channels,
      layers: layers[index],
      groups: config.transformerGroups,
      upcast: config.upcastAttention,
    })

  const one = graph.scalar(1)
  let x = config.centerInputSample ? ops.sub(ops.add(sample, sample), one) : sample
  let [{ channels }] = down
  x = conv2d(scope.at('conv_in'), x, config.inChannels, channels, { kernel: config.convInKernel })
  const skips: Skip[] = [{ value: x, channels }]
  down.forEach((level, i) => {
    const at = scope.at(`down_blocks.${i}`)
    for (let j = 0; j < level.blocks; j++) {
      x = resnetBlock(at.at(`resnets.${j}`), x, time, channels, level.channels, resnet)
      channels = level.channels
      if (level.attention) x = transformer(at, x, channels, level.attention, j)
      skips.push({ value: x, channels })
    }
    if (i === down.length - 1) return
    x = downsample(at.at('downsamplers.0'), x, channels, config.downsamplePadding)
    skips.push({ value: x, channels })
  })

  if (mid) {
    const at = scope.at('mid_block')
    const options = { ...resnet, outputScale: mid.outputScale }
    x = resnetBlock(at.at('resnets.0'), x, time, channels, channels, options)
    if (mid.attention) x = transformer(at, x, channels, mid.attention, 0)
    x = resnetBlock(at.at('resnets.1'), x, time, channels, channels, options)
  }

  up.forEach((level, i) => {
    const at = scope.at(`up_blocks.${i}`)
    for (const [j, skip] of skips.splice(-level.blocks).reverse().entries()) {
      x = ops.concat([x, skip.value], 1)
      x = resnetBlock(at.at(`resnets.${j}`), x, time, channels + skip.channels, level.channels, resnet)
      channels = level.channels
      if (level.attention) x = transformer(at, x, channels, level.attention, j)
    }
    // The size of the next skip, not twice this one: a size that halves with a remainder comes out right.
    if (i < up.length - 1) x = upsample(at.at('upsamplers.0'), x, channels, skips.at(-1)?.value)
  })

  if (config.outputGroups) {
    x = activate(activation, groupNorm(scope.at('conv_norm_out'), x, channels, config.outputGroups, config.epsilon))
  }
  x = conv2d(scope.at('conv_out'), x, channels, config.outChannels, { kernel: config.convOutKernel })
  graph.output('out_sample', x, ['batch', config.outChannels, 'height', 'width'])
}

/** The time embedding with everything that is added to it: `[1 or batch, channels]`. */
function buildTime(graph: Graph, scope: Scope, config: UNet2DConditionConfig): Value {
  const { timeChannels: channels, activation, classEmbedding, textTime, timeConditionChannels } = config
  const [{ channels: projected }] = config.down
  const projection = graph.input('time_projection', ['time_batch', projected])
  let time = timeEmbedding(scope.at('time_embedding'), projection, {
    inChannels: projected,
    channels,
    activation,
    finalActivation: config.timePostActivation,
    condition: timeConditionChannels
      ? { value: graph.input('timestep_cond', ['cond_batch', timeConditionChannels]), channels: timeConditionChannels }
      : undefined,
  })
  const labels = buildClassEmbedding(graph, scope.at('class_embedding'), config)
  if (labels) time = config.classEmbeddingsConcat ? concatLast(time, labels) : ops.add(time, labels)
  if (classEmbedding.kind === 'none' && config.classEmbeddingsConcat) {
    throw new InvalidArgumentError('unet', 'class_embeddings_concat needs a class_embed_type or num_class_embeds')
  }
  if (textTime) {
    const text = textTime.inputChannels - 6 * textTime.timeChannels
    const texts = graph.input('text_embeds', ['batch', text])
    const numbers = graph.input('time_ids_projection', ['batch', 6 * textTime.timeChannels])
    const added = ops.concat([texts, numbers], 1)
    const options = { inChannels: textTime.inputChannels, channels, activation }
    time = ops.add(time, timeEmbedding(scope.at('add_embedding'), added, options))
  }
  return config.timeActivation ? activate(config.timeActivation, time) : time
}

/** Joins the time, which may be one row for all, with one row an item. */
function concatLast(time: Value, labels: Value): Value {
  const { graph } = time
  return ops.concat([graph.node('Expand', [time, ops.shapeOf(labels)]), labels], 1)
}

function buildClassEmbedding(graph: Graph, scope: Scope, config: UNet2DConditionConfig): Value | undefined {
  const { classEmbedding, timeChannels: channels, activation } = config
  switch (classEmbedding.kind) {
    case 'none':
      return undefined
    case 'table':
      return embedding(scope, graph.rawInput('class_labels', 'int64', ['batch']), classEmbedding.count, channels)
    case 'identity':
      return graph.input('class_labels', ['batch', channels])
    case 'timestep': {
      const inChannels = config.down[0].channels
      const labels = graph.input('class_labels', ['batch', inChannels])
      return timeEmbedding(scope, labels, { inChannels, channels, activation })
    }
    case 'projection': {
      const labels = graph.input('class_labels', ['batch', classEmbedding.channels])
      return timeEmbedding(scope, labels, { inChannels: classEmbedding.channels, channels, activation })
    }
    case 'simple_projection': {
      const labels = graph.input('class_labels', ['batch', classEmbedding.channels])
      return linear(scope, labels, classEmbedding.channels, channels)
    }
  }
}
