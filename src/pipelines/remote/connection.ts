import { InvalidArgumentError, RuntimeError, StateError } from '../../core/errors'
import { unpack } from './packing'
import type { ClientMessage, HostMessage, Request, Thread } from './protocol'

/** Is told what happens during a call. */
export type CallListener = (message: Extract<HostMessage, { type: 'progress' | 'step' | 'generators' }>) => void

interface Pending {
  readonly answer: Promise<unknown>
  resolve(value: unknown): void
  reject(error: unknown): void
}

/** The asking side of a line: numbers requests, and brings answers and events to those who wait for them. */
export class Connection {
  private readonly pending = new Map<number, Pending>()
  private readonly listeners = new Map<number, CallListener>()
  private nextId = 0
  /** Why nothing can be asked any more. */
  private closed?: Error

  /** @param thread - The other end. */
  constructor(private readonly thread: Thread) {
    thread.onMessage((message) => this.receive(message as HostMessage))
    thread.onEnd((cause) => {
      const reason = cause instanceof Error ? cause.message : String(cause)
      this.closed ??= new RuntimeError('worker', `the worker ended: ${reason}. Load the pipeline again`, { cause })
      for (const { reject } of this.pending.values()) reject(this.closed)
    })
    thread.hold(false)
  }

  /** A number that no other request, call or pipeline of this line has. */
  number(): number {
    return this.nextId++
  }

  /**
   * Asks, and waits for the answer.
   *
   * @param transfer - Memory that goes along instead of being copied.
   * @param id - The request's number, where it was given before.
   * @throws StateError after {@link Connection.end}; RuntimeError when the thread ended on its own.
   */
  async request(request: Request, transfer: readonly ArrayBuffer[] = [], id = this.number()): Promise<unknown> {
    if (this.closed) throw this.closed
    this.send({ type: 'request', id, request }, transfer)
    const settlers: Partial<Pending> = {}
    const answer = new Promise((resolve, reject) => Object.assign(settlers, { resolve, reject }))
    this.pending.set(id, { ...(settlers as Pending), answer })
    this.thread.hold(true)
    try {
      return await answer
    } finally {
      this.pending.delete(id)
      if (this.pending.size === 0) this.thread.hold(false)
    }
  }

  /**
   * Sends what needs no answer.
   *
   * @throws InvalidArgumentError when it holds something that cannot leave its thread, such as a function.
   */
  send(message: ClientMessage, transfer: readonly ArrayBuffer[] = []): void {
    try {
      this.thread.postMessage(message, transfer)
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause)
      throw new InvalidArgumentError('worker', `an option cannot be sent to the worker: ${reason}`, { cause })
    }
  }

  /** Brings the events of a call to `listener`; absent: to nobody any more. */
  listen(call: number, listener?: CallListener): void {
    if (listener) this.listeners.set(call, listener)
    else this.listeners.delete(call)
  }

  /** Ends the thread, once what was asked for is done. */
  async end(): Promise<void> {
    this.closed ??= new StateError('pipeline', 'it was disposed of: load it again')
    await Promise.allSettled([...this.pending.values()].map(({ answer }) => answer))
    await this.thread.end()
  }

  private receive(message: HostMessage): void {
    if (message.type === 'result') this.pending.get(message.id)?.resolve(unpack(message.value))
    else if (message.type === 'error') this.pending.get(message.id)?.reject(unpack(message.error))
    else this.listeners.get(message.id)?.(message)
  }
}
