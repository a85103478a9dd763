/** A failure that another attempt may not meet: a broken line, a hang, a server that is busy. */
export class TransientError extends Error {
  /** How long the server asked to wait, in milliseconds. */
  readonly retryAfter?: number

  constructor(message: string, options?: ErrorOptions & { readonly retryAfter?: number }) {
    super(message, options)
    this.retryAfter = options?.retryAfter
  }
}

/** A failure of the line as a {@link TransientError}, with what its causes say. */
export function asTransient(error: unknown): TransientError {
  if (error instanceof TransientError) return error
  const messages: string[] = []
  for (let cause: unknown = error; cause !== undefined && messages.length < 4; ) {
    messages.push(cause instanceof Error ? cause.message : String(cause))
    cause = cause instanceof Error ? cause.cause : undefined
  }
  return new TransientError(messages.filter(Boolean).join(': '), { cause: error })
}

/** How often and how patiently a request is made again. */
export interface RetryPolicy {
  /** Attempts after the first one. */
  readonly retries: number
  /** The wait before the first of them, in milliseconds; it doubles each time. */
  readonly retryDelay: number
}

/** The longest wait between two attempts that the client chooses itself, in milliseconds. */
const MAX_DELAY = 10_000
/** The longest wait that a server may ask for: beyond it, failing is the better answer. */
const MAX_RETRY_AFTER = 120_000

/**
 * The wait before the next attempt in milliseconds: what the server asked for, else exponential backoff with jitter, so
 * that clients which failed together do not come back together.
 *
 * @param failures - Failed attempts so far, from 1 on.
 * @returns `undefined` when the server asks for more patience than a caller has.
 */
export function retryWait(policy: RetryPolicy, failures: number, error: TransientError): number | undefined {
  if (error.retryAfter !== undefined) return error.retryAfter <= MAX_RETRY_AFTER ? error.retryAfter : undefined
  return Math.min(policy.retryDelay * 2 ** (failures - 1), MAX_DELAY) * (0.5 + Math.random() / 2)
}

/** Resolves after `ms` milliseconds; rejects with the signal's reason as soon as it aborts. */
export function delay(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer)
      reject(signal?.reason)
    }
    if (signal?.aborted) return reject(signal.reason)
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop)
      resolve()
    }, ms)
    signal?.addEventListener('abort', stop, { once: true })
  })
}

/**
 * Milliseconds that a `Retry-After` header asks for: seconds or a date.
 *
 * @param now - The time that a date is compared with, in milliseconds since 1970.
 */
export function parseRetryAfter(header: string | null, now = Date.now()): number | undefined {
  if (header === null || header.trim() === '') return undefined
  const seconds = Number(header)
  const wait = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(header) - now
  return Number.isNaN(wait) ? undefined : Math.max(0, wait)
}
