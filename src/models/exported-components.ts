import { Tensor } from 'onnxruntime-common'
import { UnsupportedError } from '../core/errors'
import type { Repository } from '../core/file'
import { expectDims } from '../core/tensor'
import type { Autoencoder, Denoiser, TextEncoder } from './components'
import { ConfigReader } from './config-reader'
import { DiagonalGaussian } from './diagonal-gaussian'
import { fixedDim, openExport, outputNamed, runExport } from './exported'
import type { ModelOptions } from './model'
import type { Network } from './network'
import type { UNet2DConditionInput } from './unet-2d-condition'

/** What the exported networks share: their weights come and go. */
abstract class ExportedComponent {
  constructor(protected readonly networks: readonly Network[]) {}

  get loaded(): boolean {
    return this.networks.some((network) => network.loaded)
  }

  async load(signal?: AbortSignal): Promise<void> {
    await this.networks[0].load(signal)
  }

  async unload(): Promise<void> {
    for (const network of this.networks) await network.unload()
  }

  async dispose(): Promise<void> {
    for (const network of this.networks) await network.dispose()
  }
}

/** A text encoder that was exported to ONNX. */
export class ExportedTextEncoder extends ExportedComponent implements TextEncoder {
  private constructor(
    private readonly network: Network,
    readonly config: { readonly hiddenSize?: number },
  ) {
    super([network])
  }

  static async open(repository: Repository, folder: string, options: ModelOptions): Promise<ExportedTextEncoder> {
    const { network, config } = await openExport(repository, folder, options)
    const hiddenSize = new ConfigReader(`${folder}/config.json`, config).optionalNumber('hidden_size')
    return new ExportedTextEncoder(network, { hiddenSize })
  }

  async encode(inputIds: Tensor, clipSkip = 0): Promise<Tensor> {
    if (clipSkip !== 0) {
      throw new UnsupportedError(
        'text_encoder',
        'an exported text encoder runs all its layers: got clipSkip, expected none',
      )
    }
    const outputs = await runExport(this.network, { input_ids: inputIds })
    return outputNamed(outputs, ['last_hidden_state'], 'text_encoder')
  }
}

/** A UNet that was exported to ONNX. */
export class ExportedUNet extends ExportedComponent implements Denoiser {
  private constructor(
    private readonly network: Network,
    readonly config: Denoiser['config'],
  ) {
    super([network])
  }

  static async open(repository: Repository, folder: string, options: ModelOptions): Promise<ExportedUNet> {
    const { network, config } = await openExport(repository, folder, options)
    const read = new ConfigReader(`${folder}/config.json`, config)
    // An export without a config tells its channels by its inputs.
    const session = read.has('in_channels') ? undefined : await network.load()
    const size = read.optionalNumber('sample_size')
    return new ExportedUNet(network, {
      inChannels: session ? (fixedDim(session, 'sample', 1) ?? 4) : read.count('in_channels'),
      sampleSize: size === undefined ? undefined : [size, size],
      crossAttentionDim: session
        ? fixedDim(session, 'encoder_hidden_states', 2)
        : read.optionalNumber('cross_attention_dim'),
      timeConditionChannels: read.optionalNumber('time_cond_proj_dim'),
    })
  }

  async run(input: UNet2DConditionInput): Promise<{ sample: Tensor }> {
    const { sample, timestep, encoderHiddenStates, timestepCond } = input
    const timesteps = typeof timestep === 'number' ? [timestep] : timestep
    expectDims(sample, [sample.dims[0], this.config.inChannels, ...sample.dims.slice(2)], 'unet sample')
    const outputs = await runExport(this.network, {
      sample,
      timestep: new Tensor('float32', Float32Array.from(timesteps), [timesteps.length]),
      encoder_hidden_states: encoderHiddenStates,
      timestep_cond: timestepCond,
    })
    return { sample: outputNamed(outputs, ['out_sample', 'sample'], 'unet') }
  }
}

/** An autoencoder that was exported to ONNX, in two graphs; one without an encoder decodes only. */
export class ExportedAutoencoder extends ExportedComponent implements Autoencoder {
  private constructor(
    private readonly decoder: Network,
    private readonly encoder: Network | undefined,
    readonly config: Autoencoder['config'],
    readonly scaleFactor: number,
  ) {
    super(encoder ? [decoder, encoder] : [decoder])
  }

  static async open(repository: Repository, options: ModelOptions): Promise<ExportedAutoencoder> {
    const { network: decoder, config } = await openExport(repository, 'vae_decoder', options)
    const hasEncoder = await repository.open('vae_encoder/model.onnx')
    const encoder = hasEncoder ? (await openExport(repository, 'vae_encoder', options)).network : undefined
    const read = new ConfigReader('vae_decoder/config.json', config)
    const channels = read.counts('block_out_channels', [128, 256, 512, 512])
    return new ExportedAutoencoder(
      decoder,
      encoder,
      {
        latentChannels: read.count('latent_channels', 4),
        scalingFactor: read.number('scaling_factor', 0.18215),
        shiftFactor: read.number('shift_factor', 0),
      },
      2 ** (channels.length - 1),
    )
  }

  async encode(x: Tensor): Promise<{ latentDist: DiagonalGaussian }> {
    if (!this.encoder)
      throw new UnsupportedError('vae', 'this repository exports no encoder: image to image needs vae_encoder')
    const outputs = await runExport(this.encoder, { sample: x })
    const output = outputNamed(outputs, ['latent_parameters', 'latent_sample'], 'vae_encoder')
    const moments = output.dims[1] === 2 * this.config.latentChannels
    return { latentDist: moments ? new DiagonalGaussian(output) : DiagonalGaussian.certain(output) }
  }

  async decode(z: Tensor): Promise<{ sample: Tensor }> {
    const outputs = await runExport(this.decoder, { latent_sample: z })
    return { sample: outputNamed(outputs, ['sample'], 'vae_decoder') }
  }
}
