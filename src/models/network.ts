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
   * @param name - What errors call it, such as `unet`.
   * @param source - The graph and where its weights lie, or what reads them when they are needed.
   * @param backend - What runs it.
   * @param options - Device, threads and graph optimisation.
   */
  constructor(
    readonly name: string,
    private readonly source: GraphSource | (() => Promise<GraphSource>),
    private readonly backend: Backend,
    private readonly options: SessionOptions,
  ) {}

  /** Whether the weights are in memory, or on their way. */
  get loaded(): boolean {
    return this.session !== undefined
  }

  /** Creates the session unless it exists. Callers share it, so the signal ends this call's wait alone. */
  async load(signal?: AbortSignal): Promise<Session> {
    if (this.disposed) throw new StateError(this.name, 'was disposed of: load it again')
    signal?.throwIfAborted()
    this.session ??= this.createSession()
    try {
      const session = await this.session
      signal?.throwIfAborted()
      return session
    } catch (error) {
      // A failure is not remembered: the next call tries again.
      if (!signal?.aborted) this.session = undefined
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

  /** Releases the weights for good, at the end of the run that is under way. */
  async dispose(): Promise<void> {
    this.disposed = true
    const session = this.session
    this.session = undefined
    await (await session?.catch(() => undefined))?.dispose()
  }

  private async createSession(): Promise<Session> {
    const source = typeof this.source === 'function' ? await this.source() : this.source
    return this.backend.createSession(source, this.options)
  }
}
