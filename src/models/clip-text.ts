import type { Tensor } from 'onnxruntime-common'
import { Scope } from '../checkpoints/scope'
import { InvalidArgumentError } from '../core/errors'
import type { Repository } from '../core/file'
import type { Graph, Value } from '../graph/graph'
import * as ops from '../graph/ops'
import { type Activation, activate, embedding, layerNorm, linear, parseActivation } from '../layers/basic'
import type { TextEncoder } from './components'
import { ConfigReader, type RawConfig } from './config-reader'
import { ModelHost, type ModelOptions } from './model'
import type { Network } from './network'

/** The typed config of a CLIP text encoder. */
export interface CLIPTextConfig {
  readonly vocabSize: number
  readonly hiddenSize: number
  readonly intermediateSize: number
  /** Width of the projected embedding ({@link CLIPTextModelWithProjection}). */
  readonly projectionDim: number
  readonly layers: number
  readonly heads: number
  /** Most tokens of a text: 77. */
  readonly maxPositions: number
  readonly activation: Activation
  readonly epsilon: number
  readonly eosTokenId: number
}

/**
 * Reads `text_encoder/config.json` (transformers `CLIPTextConfig`).
 *
 * @throws UnsupportedError that names the option.
 */
function parseCLIPTextConfig(raw: RawConfig, part = 'CLIPTextModel'): CLIPTextConfig {
  const read = new ConfigReader(part, raw)
  const hiddenSize = read.count('hidden_size', 512)
  const heads = read.count('num_attention_heads', 8)
  if (hiddenSize % heads !== 0) throw read.wrong('num_attention_heads', `a divisor of hidden_size ${hiddenSize}`)
  return {
    vocabSize: read.count('vocab_size', 49408),
    hiddenSize,
    intermediateSize: read.count('intermediate_size', 2048),
    projectionDim: read.count('projection_dim', 512),
    layers: read.count('num_hidden_layers', 12),
    heads,
    maxPositions: read.count('max_position_embeddings', 77),
    activation: parseActivation(read.value('hidden_act') ?? 'quick_gelu', 'hidden_act'),
    epsilon: read.number('layer_norm_eps', 1e-5),
    eosTokenId: read.number('eos_token_id', 49407),
  }
}

/** What a text encoder gives. */
export interface CLIPTextOutput {
  /** Behind the last layer and its norm, `[batch, tokens, hiddenSize]`. */
  readonly lastHiddenState: Tensor
  /** The state at the end token, `[batch, hiddenSize]`. */
  readonly poolerOutput: Tensor
  /** Before the first layer and behind each one, not normalised: `layers + 1` times `[batch, tokens, hiddenSize]`. */
  readonly hiddenStates: readonly Tensor[]
}

/** What is common to both CLIP text encoders. */
class CLIPTextNetwork implements TextEncoder {
  constructor(
    readonly config: CLIPTextConfig,
    protected readonly network: Network,
    /** Tensors of the checkpoint that the network has no use for. */
    readonly unusedWeights: readonly string[],
  ) {}

  /**
   * The embedding that a pipeline uses.
   *
   * @param inputIds - int32 `[batch, tokens]`.
   * @param clipSkip - Layers to leave out at the end; their norm is applied nevertheless, as diffusers does.
   * @returns `[batch, tokens, hiddenSize]`.
   */
  async encode(inputIds: Tensor, clipSkip = 0): Promise<Tensor> {
    const { layers } = this.config
    if (!Number.isSafeInteger(clipSkip) || clipSkip < 0 || clipSkip > layers) {
      throw new InvalidArgumentError(
        'text_encoder',
        `clipSkip: got ${clipSkip}, expected an integer from 0 to ${layers}`,
      )
    }
    const name = `final_layer_norm.${layers - clipSkip}`
    const outputs = await this.runNetwork(inputIds, [name])
    return outputs[name]
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

  protected runNetwork(inputIds: Tensor, fetches?: readonly string[]): Promise<Record<string, Tensor>> {
    const { maxPositions, vocabSize } = this.config
    const [, tokens] = inputIds.dims
    if (inputIds.type !== 'int32' || inputIds.dims.length !== 2 || tokens < 1 || tokens > maxPositions) {
      const got = `${inputIds.type} [${inputIds.dims.join(', ')}]`
      const expected = `int32 [batch, 1 to ${maxPositions}]`
      throw new InvalidArgumentError('text_encoder', `inputIds have the wrong shape: got ${got}, expected ${expected}`)
    }
    for (const id of inputIds.data as Int32Array) {
      if (id >= 0 && id < vocabSize) continue
      throw new InvalidArgumentError(
        'text_encoder',
        `a token is unknown to the model: got ${id}, expected 0 to ${vocabSize - 1}`,
      )
    }
    return this.network.run({ input_ids: inputIds }, fetches)
  }

  protected textOutput(outputs: Record<string, Tensor>): CLIPTextOutput {
    const { layers } = this.config
    return {
      lastHiddenState: outputs[`final_layer_norm.${layers}`],
      poolerOutput: outputs.pooler_output,
      hiddenStates: Array.from({ length: layers + 1 }, (_, i) => outputs[`hidden_states.${i}`]),
    }
  }
}

/** The text encoder of Stable Diffusion 1 and 2 (transformers `CLIPTextModel`; Radford et al. 2021). */
export class CLIPTextModel extends CLIPTextNetwork {
  /**
   * Loads `config.json` and `model.safetensors`.
   *
   * @param source - A local folder, a Hub repository or an opened {@link Repository}.
   * @throws UnsupportedError when the config asks for something that is not supported.
   * @throws CheckpointError when a weight is missing or has the wrong shape.
   */
  static async fromPretrained(source: string | Repository, options: ModelOptions = {}): Promise<CLIPTextModel> {
    const host = await ModelHost.open(source, 'model', 'CLIPTextModel', options)
    return new CLIPTextModel(...buildModel(host, false))
  }

  /** Encodes int32 token ids `[batch, tokens]`. */
  async run({ inputIds }: { readonly inputIds: Tensor }): Promise<CLIPTextOutput> {
    return this.textOutput(await this.runNetwork(inputIds))
  }
}

/** The text encoder with a projection, SDXL's second one (transformers `CLIPTextModelWithProjection`). */
export class CLIPTextModelWithProjection extends CLIPTextNetwork {
  /**
   * Loads `config.json` and `model.safetensors`.
   *
   * @param source - A local folder, a Hub repository or an opened {@link Repository}.
   * @throws UnsupportedError when the config asks for something that is not supported.
   * @throws CheckpointError when a weight is missing or has the wrong shape.
   */
  static async fromPretrained(
    source: string | Repository,
    options: ModelOptions = {},
  ): Promise<CLIPTextModelWithProjection> {
    const host = await ModelHost.open(source, 'model', 'CLIPTextModelWithProjection', options)
    return new CLIPTextModelWithProjection(...buildModel(host, true))
  }

  /** Encodes int32 token ids `[batch, tokens]`; `textEmbeds` is the projected pooled state `[batch, projectionDim]`. */
  async run({ inputIds }: { readonly inputIds: Tensor }): Promise<CLIPTextOutput & { readonly textEmbeds: Tensor }> {
    const outputs = await this.runNetwork(inputIds)
    return { ...this.textOutput(outputs), textEmbeds: outputs.text_embeds }
  }
}

function buildModel(host: ModelHost, projection: boolean): [CLIPTextConfig, Network, readonly string[]] {
  const config = parseCLIPTextConfig(host.config, host.configName)
  const network = host.network('text_encoder', (graph) =>
    buildText(graph, new Scope(host.checkpoint), config, projection),
  )
  // Older exports store the positions 0, 1, 2 … as a tensor, which says nothing.
  return [config, network, host.unusedWeights((name) => name.endsWith('embeddings.position_ids'))]
}

function buildText(graph: Graph, root: Scope, config: CLIPTextConfig, projection: boolean): void {
  const { hiddenSize, layers, epsilon, maxPositions } = config
  const scope = root.at('text_model')
  const ids = graph.rawInput('input_ids', 'int32', ['batch', 'tokens'])
  const tokens = ops.shapeOf(ids, 1, 2)
  const zero = graph.int64([0])

  const table = graph.weight(scope.tensor('embeddings.position_embedding.weight', [maxPositions, hiddenSize]))
  let x = embedding(scope.at('embeddings.token_embedding'), ids, config.vocabSize, hiddenSize)
  x = ops.add(x, ops.slice(table, zero, tokens, 0))
  const mask = ops.slice(ops.slice(causalMask(graph, maxPositions), zero, tokens, 2), zero, tokens, 3)

  const dims = ['batch', 'tokens', hiddenSize]
  for (let i = 0; i <= layers; i++) {
    if (i > 0) x = encoderLayer(scope.at(`encoder.layers.${i - 1}`), x, mask, config)
    graph.output(`hidden_states.${i}`, x, dims)
    // Leaving out the last layers still applies the last norm, so each state comes with it too.
    const normal = layerNorm(scope.at('final_layer_norm'), x, hiddenSize, epsilon)
    graph.output(`final_layer_norm.${i}`, normal, dims)
    if (i < layers) continue
    const pooled = pool(normal, ids, config)
    graph.output('pooler_output', pooled, ['batch', hiddenSize])
    if (!projection) continue
    const options = { bias: false }
    const projected = linear(root.at('text_projection'), pooled, hiddenSize, config.projectionDim, options)
    graph.output('text_embeds', projected, ['batch', config.projectionDim])
  }
}

function encoderLayer(scope: Scope, x: Value, mask: Value, config: CLIPTextConfig): Value {
  const { hiddenSize, intermediateSize, heads, activation, epsilon } = config
  const normal = layerNorm(scope.at('layer_norm1'), x, hiddenSize, epsilon)
  const project = (name: string) => linear(scope.at(`self_attn.${name}`), normal, hiddenSize, hiddenSize)
  const mixed = x.graph.forms.attention(project('q_proj'), project('k_proj'), project('v_proj'), {
    heads,
    headDim: hiddenSize / heads,
    bias: mask,
  })
  const attended = ops.add(x, linear(scope.at('self_attn.out_proj'), mixed, hiddenSize, hiddenSize))
  const inner = linear(
    scope.at('mlp.fc1'),
    layerNorm(scope.at('layer_norm2'), attended, hiddenSize, epsilon),
    hiddenSize,
    intermediateSize,
  )
  return ops.add(attended, linear(scope.at('mlp.fc2'), activate(activation, inner), intermediateSize, hiddenSize))
}

/** 0 where a token may look, the lowest float16 where it may not: `[1, 1, length, length]`. */
function causalMask(graph: Graph, length: number): Value {
  const mask = new Float32Array(length * length)
  for (let row = 0; row < length; row++) mask.fill(-65504, row * length + row + 1, (row + 1) * length)
  return graph.float('causal_mask', mask, [1, 1, length, length])
}

/** The state at the first end token; older configs give its id as 2, and it is then the largest id of a text. */
function pool(states: Value, ids: Value, { eosTokenId }: CLIPTextConfig): Value {
  const { graph } = states
  const isEnd = (x: Value) =>
    graph.cast(graph.node('Equal', [x, graph.cast(graph.int64([eosTokenId]), 'int32')]), 'int32')
  const end = graph.node('ArgMax', [eosTokenId === 2 ? ids : isEnd(ids)], { axis: { int: 1 }, keepdims: { int: 1 } })
  return graph.node('GatherND', [states, end], { batch_dims: { int: 1 } })
}
