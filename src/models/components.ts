import type { Tensor } from 'onnxruntime-common'
import type { DiagonalGaussian } from './diagonal-gaussian'
import type { UNet2DConditionInput } from './unet-2d-condition'

/** A network whose weights come and go. */
export interface Component {
  /** Whether the weights are in memory. */
  readonly loaded: boolean
  /** Makes ready what every call needs. */
  load(signal?: AbortSignal): Promise<void>
  /** Releases the weights until they are needed again. */
  unload(): Promise<void>
  /** Releases the weights for good. */
  dispose(): Promise<void>
}

/** What turns token ids into the embedding that the denoiser looks at: a built network or an exported one. */
export interface TextEncoder extends Component {
  /** `hiddenSize`: channels of the embedding, where it is known. */
  readonly config: { readonly hiddenSize?: number }
  /** int32 ids `[batch, tokens]` to `[batch, tokens, hiddenSize]`; `clipSkip` leaves out that many layers at the end. */
  encode(inputIds: Tensor, clipSkip?: number): Promise<Tensor>
}

/** What predicts the noise: a built network or an exported one. */
export interface Denoiser extends Component {
  readonly config: {
    readonly inChannels: number
    /** Height and width of the latents that it was trained on. */
    readonly sampleSize?: readonly [height: number, width: number]
    /** Channels of the text embedding, where they are known. */
    readonly crossAttentionDim?: number
    /** Width of the guidance embedding (latent consistency models); absent: it takes none. */
    readonly timeConditionChannels?: number
  }
  /** Predicts for noisy latents `[batch, inChannels, height, width]`. */
  run(input: UNet2DConditionInput): Promise<{ sample: Tensor }>
}

/** What turns pictures into latents and back: a built network or an exported one. */
export interface Autoencoder extends Component {
  readonly config: {
    readonly latentChannels: number
    /** Latents are multiplied by it behind the encoder, and divided by it before the decoder. */
    readonly scalingFactor: number
    /** Taken off the latents before they are scaled. */
    readonly shiftFactor: number
  }
  /** Pixels for one latent. */
  readonly scaleFactor: number
  /** Pictures `[batch, 3, height, width]` in [−1, 1] to the distribution of their latents, unscaled. */
  encode(x: Tensor): Promise<{ latentDist: DiagonalGaussian }>
  /** Unscaled latents `[batch, latentChannels, height, width]` to pictures, about in [−1, 1]. */
  decode(z: Tensor): Promise<{ sample: Tensor }>
}
