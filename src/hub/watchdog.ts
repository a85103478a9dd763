import { TransientError } from './retry'

/**
 * Aborts an attempt in which nothing happens for too long, or whose caller gives up. `signal` goes into the requests of
 * the attempt, `touch` is called whenever bytes arrive, `stop` ends the watch.
 */
export class Watchdog {
  readonly #controller = new AbortController()
  readonly #timeout: number
  readonly #parent?: AbortSignal
  #timer: ReturnType<typeof setTimeout> | undefined
  #stopped = false
  readonly #onAbort = () => this.#controller.abort(this.#parent?.reason)

  /**
   * @param timeout - How long nothing may happen, in milliseconds.
   * @param parent - The caller's signal.
   */
  constructor(timeout: number, parent?: AbortSignal) {
    this.#timeout = timeout
    this.#parent = parent
    if (parent?.aborted) this.#onAbort()
    else parent?.addEventListener('abort', this.#onAbort, { once: true })
    this.touch()
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** Something happened: the time starts again. */
  touch(): void {
    clearTimeout(this.#timer)
    if (this.#stopped) return
    this.#timer = setTimeout(() => {
      this.#controller.abort(new TransientError(`nothing arrived for ${this.#timeout / 1000} s`))
    }, this.#timeout)
  }

  /** The attempt is over. */
  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
    this.#parent?.removeEventListener('abort', this.#onAbort)
  }

  /** The promise's result, unless the watch aborts first: also for a `fetch` that does not heed its signal. */
  race<T>(promise: Promise<T>): Promise<T> {
    const { signal } = this
    return new Promise((resolve, reject) => {
      const onAbort = () => reject(signal.reason)
      if (signal.aborted) onAbort()
      signal.addEventListener('abort', onAbort, { once: true })
      promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
    })
  }

  /**
   * The bytes of a body, piece by piece, each one resetting the watch. The body is cancelled when the reader stops
   * early, and when the watch aborts.
   */
  async *read(body: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
    const reader = body.getReader()
    const cancel = () => {
      reader.cancel().catch(() => {})
    }
    this.signal.addEventListener('abort', cancel, { once: true })
    try {
      for (;;) {
        const { done, value } = await reader.read()
        this.signal.throwIfAborted()
        if (done) return
        this.touch()
        yield value
        this.touch()
      }
    } finally {
      this.signal.removeEventListener('abort', cancel)
      cancel()
    }
  }
}
