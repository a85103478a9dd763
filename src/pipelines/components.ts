import { StateError } from '../core/errors'
import type { Autoencoder, Component, Denoiser, TextEncoder } from '../models/components'
import type { CLIPTokenizer } from '../tokenizers/clip-tokenizer'

/** The parts of a Stable Diffusion pipeline beside its scheduler. */
export interface StableDiffusionComponents {
  readonly tokenizer: CLIPTokenizer
  readonly textEncoder: TextEncoder
  readonly unet: Denoiser
  readonly vae: Autoencoder
}

/**
 * The components that pipelines share, and who is using them: a network is unloaded only when no run uses it, and
 * disposed of when the last pipeline is.
 */
export class ComponentSet {
  private owners = 0
  private readonly users = new Map<Component, number>()

  /**
   * @param components - The networks and the tokenizer.
   * @param keepLoaded - Keep the weights in memory between uses.
   * @param model - What the metadata of pictures call the model.
   */
  constructor(
    readonly components: StableDiffusionComponents,
    readonly keepLoaded: boolean,
    readonly model: string,
  ) {}

  /** Counts one more pipeline. */
  retain(): void {
    this.owners++
  }

  /** Counts one pipeline less; the last one releases all. */
  async release(): Promise<void> {
    if (--this.owners > 0) return
    const { textEncoder, unet, vae } = this.components
    await Promise.all([textEncoder.dispose(), unet.dispose(), vae.dispose()])
  }

  /** Uses a network; without `keepLoaded` its weights leave when the last user is done. */
  async use<T extends Component, R>(network: T, work: (network: T) => Promise<R>): Promise<R> {
    const release = this.hold(network)
    try {
      return await work(network)
    } finally {
      await release()
    }
  }

  /** Begins a use, and returns what ends it. */
  hold(network: Component): () => Promise<void> {
    if (this.owners <= 0) throw new StateError('pipeline', 'it was disposed of: load it again')
    this.users.set(network, (this.users.get(network) ?? 0) + 1)
    return async () => {
      const left = (this.users.get(network) ?? 1) - 1
      this.users.set(network, left)
      if (left === 0 && !this.keepLoaded) await network.unload()
    }
  }
}
