import type { Tensor } from 'onnxruntime-common'
import { Scope } from '../checkpoints/scope'
import { InvalidArgumentError } from '../core/errors'
import type { Repository } from '../core/file'
import { expectDims } from '../core/tensor'
import type { Graph, Value } from '../graph/graph'
import { imageAttention } from '../layers/attention'
import { activate, conv2d, groupNorm } from '../layers/basic'
import { downsample, type ResnetOptions, resnetBlock, upsample } from '../layers/resnet'
import { type AutoencoderKLConfig, parseAutoencoderKLConfig } from './autoencoder-kl-config'
import type { Autoencoder } from './components'
import { DiagonalGaussian } from './diagonal-gaussian'
import { ModelHost, type ModelOptions } from './model'
import type { Network } from './network'

const epsilon = 1e-6

/**
 * The autoencoder of Stable Diffusion (diffusers `AutoencoderKL`; Rombach et al. 2022): pictures in [−1, 1] to latents
 * and back. Encoder and decoder are loaded each when it is first needed.
 */
export class AutoencoderKL implements Autoencoder {
  private constructor(
    readonly config: AutoencoderKLConfig,
    private readonly encoder: Network,
    private readonly decoder: Network,
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
  static async fromPretrained(source: string | Repository, options: ModelOptions = {}): Promise<AutoencoderKL> {
    const host = await ModelHost.open(source, 'diffusion_pytorch_model', 'AutoencoderKL', options)
    const config = parseAutoencoderKLConfig(host.config, host.configName)
    const compute = config.forceUpcast ? 'fp32' : undefined
    const scope = new Scope(host.checkpoint)
    const encoder = host.network('vae encoder', (graph) => buildEncoder(graph, scope, config), compute)
    const decoder = host.network('vae decoder', (graph) => buildDecoder(graph, scope, config), compute)
    return new AutoencoderKL(config, encoder, decoder, host.unusedWeights())
  }

  /** Pixels for one latent: 8 in Stable Diffusion. */
  get scaleFactor(): number {
    return 2 ** (this.config.channels.length - 1)
  }

  /** Encodes pictures `[batch, inChannels, height, width]` in [−1, 1]; the distribution is not yet scaled. */
  async encode(x: Tensor): Promise<{ latentDist: DiagonalGaussian }> {
    const [batch, , height, width] = x.dims
    expectDims(x, [batch, this.config.inChannels, height, width], 'vae encode input')
    if (height % this.scaleFactor || width % this.scaleFactor) {
      const expected = `multiples of ${this.scaleFactor}`
      throw new InvalidArgumentError('vae', `height and width: got ${height} and ${width}, expected ${expected}`)
    }
    const { moments } = await this.encoder.run({ sample: x })
    return { latentDist: new DiagonalGaussian(moments) }
  }

  /** Decodes latents `[batch, latentChannels, height, width]` to pictures, about in [−1, 1]; takes them unscaled. */
  async decode(z: Tensor): Promise<{ sample: Tensor }> {
    expectDims(z, [z.dims[0], this.config.latentChannels, ...z.dims.slice(2)], 'vae decode input')
    const { sample } = await this.decoder.run({ latent_sample: z })
    return { sample }
  }

  /** Whether the weights of either direction are in memory. */
  get loaded(): boolean {
    return this.encoder.loaded || this.decoder.loaded
  }

  /** Creates the decoder's session now; the encoder's waits until a picture comes in. */
  async load(signal?: AbortSignal): Promise<void> {
    await this.decoder.load(signal)
  }

  /** Releases the weights until they are needed again. */
  async unload(): Promise<void> {
    await this.encoder.unload()
    await this.decoder.unload()
  }

  /** Releases the weights for good. */
  async dispose(): Promise<void> {
    await this.encoder.dispose()
    await this.decoder.dispose()
  }
}

function resnetOptions({ groups, activation }: AutoencoderKLConfig): ResnetOptions {
  return { groups, activation, epsilon }
}

function buildEncoder(graph: Graph, root: Scope, config: AutoencoderKLConfig): void {
  const scope = root.at('encoder')
  const options = resnetOptions(config)
  let [channels] = config.channels
  let x = conv2d(
    scope.at('conv_in'),
    graph.input('sample', ['batch', config.inChannels, 'h', 'w']),
    config.inChannels,
    channels,
  )
  config.channels.forEach((width, i) => {
    const at = scope.at(`down_blocks.${i}`)
    for (let j = 0; j < config.layersPerBlock; j++) {
      x = resnetBlock(at.at(`resnets.${j}`), x, undefined, channels, width, options)
      channels = width
    }
    if (i < config.channels.length - 1) x = downsample(at.at('downsamplers.0'), x, channels, 0)
  })
  x = buildMid(scope.at('mid_block'), x, channels, config)
  x = normAndConvolve(scope, x, channels, 2 * config.latentChannels, config)
  const moments = 2 * config.latentChannels
  if (config.useQuantConv) x = conv2d(root.at('quant_conv'), x, moments, moments, { kernel: 1 })
  graph.output('moments', x, ['batch', moments, 'latent_h', 'latent_w'])
}

function buildDecoder(graph: Graph, root: Scope, config: AutoencoderKLConfig): void {
  const scope = root.at('decoder')
  const options = resnetOptions(config)
  const { latentChannels } = config
  let x = graph.input('latent_sample', ['batch', latentChannels, 'latent_h', 'latent_w'])
  if (config.usePostQuantConv) x = conv2d(root.at('post_quant_conv'), x, latentChannels, latentChannels, { kernel: 1 })
  const widths = [...config.channels].reverse()
  let [channels] = widths
  x = conv2d(scope.at('conv_in'), x, latentChannels, channels)
  x = buildMid(scope.at('mid_block'), x, channels, config)
  widths.forEach((width, i) => {
    const at = scope.at(`up_blocks.${i}`)
    for (let j = 0; j <= config.layersPerBlock; j++) {
      x = resnetBlock(at.at(`resnets.${j}`), x, undefined, channels, width, options)
      channels = width
    }
    if (i < widths.length - 1) x = upsample(at.at('upsamplers.0'), x, channels)
  })
  x = normAndConvolve(scope, x, channels, config.outChannels, config)
  graph.output('sample', x, ['batch', config.outChannels, 'h', 'w'])
}

function buildMid(scope: Scope, x: Value, channels: number, config: AutoencoderKLConfig): Value {
  const options = resnetOptions(config)
  let hidden = resnetBlock(scope.at('resnets.0'), x, undefined, channels, channels, options)
  if (config.midAttention) {
    hidden = imageAttention(scope.at('attentions.0'), hidden, channels, { heads: 1, groups: config.groups, epsilon })
  }
  return resnetBlock(scope.at('resnets.1'), hidden, undefined, channels, channels, options)
}

function normAndConvolve(
  scope: Scope,
  x: Value,
  inChannels: number,
  outChannels: number,
  { groups, activation }: AutoencoderKLConfig,
): Value {
  const normal = groupNorm(scope.at('conv_norm_out'), x, inChannels, groups, epsilon)
  return conv2d(scope.at('conv_out'), activate(activation, normal), inChannels, outChannels)
}
