import type { Tensor } from 'onnxruntime-common'
import { StateError } from '../core/errors'
import type { Backend, GraphSource, Session, SessionOptions } from '../runtime/backend'

/**
 * A graph and its session: created when it is first needed, released and created again at will. What stays in between is
 * the graph alone, not the weights.
 */
export class Network {
  private session?: Promise<Session>
  private disposed = false
  private running = 0

  /**
   * @param source - The graph and where its weights lie.
   * @param backend - What runs it.
   * @param options - Device, threads and graph optimisation.
   */
  constructor(
    readonly source: GraphSource,
    private readonly backend: Backend,
    readonly options: SessionOptions,
  ) {}

  /** Whether the weights are in memory, or on their way. */
  get loaded(): boolean {
    return this.session !== undefined
  }

  /** Creates the session unless it exists. */
  async load(signal?: AbortSignal): Promise<Session> {
    if (this.disposed) throw new StateError(this.source.name, 'was disposed of: load it again')
    signal?.throwIfAborted()
    this.session ??= this.backend.createSession(this.source, { ...this.options, signal })
    try {
      return await this.session
    } catch (error) {
      // A failure is not remembered: the next call tries again.
      this.session = undefined
      throw error
    }
  }

  /** Runs the graph once; float32 in and out. */
  async run(feeds: Readonly<Record<string, Tensor>>, fetches?: readonly string[]): Promise<Record<string, Tensor>> {
    const session = await this.load()
    this.running++
    try {
      return await session.run(feeds, fetches)
    } finally {
      this.running--
    }
  }

  /** Releases the weights until the next {@link Network.load}; does nothing while a run is under way. */
  async unload(): Promise<void> {
    if (this.running > 0) return
    const session = this.session
    this.session = undefined
    await (await session?.catch(() => undefined))?.dispose()
  }

  /** Releases the weights for good. */
  async dispose(): Promise<void> {
    this.disposed = true
    await this.unload()
  }
}
