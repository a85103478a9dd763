import { asTransient, TransientError } from './retry'

/**
 * Aborts an attempt in which nothing happens for too long, or whose caller gives up. `signal` goes into the requests of
 * the attempt, `touch` is called whenever bytes arrive, `stop` ends the watch.
 */
export class Watchdog {
  readonly #controller = new AbortController()
  readonly #timeout: number
  readonly #parent?: AbortSignal
  #timer: ReturnType<typeof setTimeout> | undefined
  #touched = 0
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
    this.#watch(timeout)
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** Something happened: the time starts again. */
  touch(): void {
    this.#touched = performance.now()
  }

  /** The attempt is over. */
  stop(): void {
    clearTimeout(this.#timer)
    this.#parent?.removeEventListener('abort', this.#onAbort)
  }

  /** Looks again when the time would be over if nothing happened: bytes come too often to set a timer for each. */
  #watch(wait: number): void {
    this.#timer = setTimeout(() => {
      const left = this.#touched + this.#timeout - performance.now()
      if (left > 0) this.#watch(left)
      else this.#controller.abort(new TransientError(`nothing arrived for ${this.#timeout / 1000} s`))
    }, wait)
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
   *
   * @throws TransientError when the line breaks.
   */
  async *read(body: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
    const reader = body.getReader()
    const cancel = () => {
      reader.cancel().catch(() => {})
    }
    this.signal.addEventListener('abort', cancel, { once: true })
    try {
      // The next piece is asked for before this one is worked on, so that it arrives meanwhile.
      const ask = () => {
        const answer = reader.read()
        answer.catch(() => {})
        return answer
      }
      for (let next = ask(); ; ) {
        const { done, value } = await next
        this.signal.throwIfAborted()
        if (done) return
        this.touch()
        next = ask()
        yield value
        this.touch()
      }
    } catch (error) {
      this.signal.throwIfAborted()
      throw asTransient(error)
    } finally {
      this.signal.removeEventListener('abort', cancel)
      cancel()
    }
  }
}
