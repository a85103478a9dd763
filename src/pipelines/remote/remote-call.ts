import { Generator } from '../../core/generator'
import type { ProgressListener } from '../../core/progress'
import type { DenoisingStep, StepListener } from '../denoise'
import type { CallListener, Connection } from './connection'
import { pack, unpack } from './packing'
import type { Request } from './protocol'

/** The options of a call that act in the caller's thread. */
export interface CallerOptions {
  readonly onStepEnd?: StepListener
  readonly onProgress?: ProgressListener
  readonly signal?: AbortSignal
  readonly generator?: Generator | readonly Generator[]
}

/** One call from its first request to its end: what the thread reports goes to the listeners, what they throw ends it. */
export class RemoteCall {
  /** Number of the call, and of the request that begins it. */
  readonly id: number
  private failure?: { readonly error: unknown }
  private readonly abort = () => this.fail(this.options.signal?.reason)

  constructor(
    private readonly connection: Connection,
    private readonly options: CallerOptions,
  ) {
    this.id = connection.number()
    options.signal?.throwIfAborted()
    options.signal?.addEventListener('abort', this.abort)
    connection.listen(this.id, this.receive)
  }

  /** Begins the call. */
  begin(request: Request, transfer?: readonly ArrayBuffer[]): Promise<unknown> {
    return this.settle(() => this.connection.request(request, transfer, this.id))
  }

  /** Asks for more of it. */
  ask(request: Request): Promise<unknown> {
    return this.settle(() => this.connection.request(request))
  }

  /** Ends the listening. */
  end(): void {
    this.options.signal?.removeEventListener('abort', this.abort)
    this.connection.listen(this.id)
  }

  /** What the signal says and what listeners throw comes out as it is, after the thread has stopped. */
  private async settle(request: () => Promise<unknown>): Promise<unknown> {
    let value: unknown
    try {
      if (!this.failure) value = await request()
    } catch (error) {
      if (!this.failure) throw error
    }
    // An answer that comes after the signal does not count.
    if (this.failure) throw this.failure.error
    return value
  }

  private fail(error: unknown): void {
    this.failure ??= { error }
    this.connection.send({ type: 'abort', id: this.id })
  }

  private readonly receive: CallListener = (message) => {
    const { onProgress, generator } = this.options
    if (message.type === 'step') {
      void this.answer(unpack(message.step) as DenoisingStep)
    } else if (message.type === 'generators') {
      const generators = generator instanceof Generator ? [generator] : (generator ?? [])
      for (const [i, state] of message.states.entries()) generators[i].setState(state)
    } else {
      try {
        onProgress?.(message.event)
      } catch (error) {
        this.fail(error)
      }
    }
  }

  private async answer(step: DenoisingStep): Promise<void> {
    try {
      const value = await this.options.onStepEnd?.(step)
      this.connection.send({ type: 'answer', id: this.id, value: pack(value) })
    } catch (error) {
      this.fail(error)
    }
  }
}
