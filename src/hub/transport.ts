import { HubConnectionError, UntrustedAnswerError } from './errors'
import { isBlobHash } from './names'
import { type RequestContext, refusal } from './refusals'
import { asTransient, delay, type RetryPolicy, retryWait, TransientError } from './retry'
import { Watchdog } from './watchdog'

/** The `fetch` of the platform, or one that goes through a proxy, adds headers or counts. */
export type Fetch = typeof globalThis.fetch

/** How the Hub is reached. */
export interface TransportOptions extends RetryPolicy {
  /** The Hub's address, without a slash at its end. */
  readonly endpoint: string
  /** Sent to the endpoint's own origin alone. */
  readonly token?: string
  readonly fetch: Fetch
  /** How long no byte may arrive before an attempt counts as failed, in milliseconds. */
  readonly timeout: number
}

const MAX_REDIRECTS = 10
/** The most bytes that are taken as one answer of the Hub's API. */
const MAX_ANSWER = 64 * 2 ** 20

/** Requests to the Hub: with the token where it belongs, redirects followed by hand, failures made into errors. */
export class Transport {
  readonly options: TransportOptions
  readonly #origin: string

  constructor(options: TransportOptions) {
    this.options = options
    this.#origin = new URL(options.endpoint).origin
  }

  /**
   * One request, whatever its status; redirects are followed, and a header that grants access does not follow to another
   * origin. `hash` is the blob's name, as the Hub told it on the way (`X-Linked-Etag`, or its own `ETag`).
   */
  async follow(
    url: string | URL,
    headers: Headers,
    watchdog: Watchdog,
  ): Promise<{ response: Response; hash?: string }> {
    const { fetch, token } = this.options
    let target = new URL(url)
    let hash: string | undefined
    for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
      const own = target.origin === this.#origin
      if (own && token !== undefined && !headers.has('authorization')) headers.set('authorization', `Bearer ${token}`)
      const init = { headers, signal: watchdog.signal }
      let response = await this.#attempt(watchdog, fetch(target, { ...init, redirect: 'manual' }))
      if (response.type === 'opaqueredirect') {
        // Browsers hide redirects from scripts. They drop the header at another origin themselves.
        response = await this.#attempt(watchdog, fetch(target, { ...init, redirect: 'follow' }))
      }
      watchdog.touch()
      hash ??=
        blobHashOf(response.headers.get('x-linked-etag')) ??
        (own ? blobHashOf(response.headers.get('etag')) : undefined)
      const location = response.headers.get('location')
      if (response.status < 300 || response.status > 399 || location === null) return { response, hash }
      await response.body?.cancel()
      const next = URL.canParse(location, target.href) ? new URL(location, target) : undefined
      if (next === undefined || !/^https?:$/.test(next.protocol)) {
        throw new TransientError(`a redirect to ${JSON.stringify(location)}, which is no http(s) address`)
      }
      if (next.origin !== target.origin) headers.delete('authorization')
      target = next
    }
    throw new TransientError(`more than ${MAX_REDIRECTS} redirects`)
  }

  /** {@link Transport.follow}, with an error for every answer that is not a success. */
  async request(
    url: string | URL,
    headers: Headers,
    context: RequestContext,
    watchdog: Watchdog,
  ): Promise<{ response: Response; hash?: string }> {
    const answer = await this.follow(url, headers, watchdog)
    if (answer.response.ok) return answer
    await answer.response.body?.cancel()
    throw refusal(answer.response, this.options.endpoint, context, this.options.token !== undefined)
  }

  /**
   * A `fetch` for small answers: it gives them whole, and tries again where that may help.
   *
   * @throws HubConnectionError when the attempts are used up.
   */
  wholeFetch(context: RequestContext, signal?: AbortSignal, policy: RetryPolicy = this.options): Fetch {
    return async (input, init) => {
      const url = input instanceof Request ? input.url : input
      for (let failures = 1; ; failures++) {
        const watchdog = new Watchdog(this.options.timeout, signal)
        try {
          const { response } = await this.request(url, new Headers(init?.headers), context, watchdog)
          const bytes = await readWhole(response, context, watchdog)
          return new Response(bytes, { status: response.status, headers: response.headers })
        } catch (error) {
          signal?.throwIfAborted()
          if (!(error instanceof TransientError)) throw error
          const wait = failures <= policy.retries ? retryWait(policy, failures, error) : undefined
          if (wait === undefined) {
            throw new HubConnectionError(`asking for ${context.repository}`, failures, error.message, { cause: error })
          }
          await delay(wait, signal)
        } finally {
          watchdog.stop()
        }
      }
    }
  }

  /** The promise's result; what a `fetch` rejects with (no connection, a reset) counts as transient. */
  async #attempt(watchdog: Watchdog, promise: Promise<Response>): Promise<Response> {
    try {
      return await watchdog.race(promise)
    } catch (error) {
      watchdog.signal.throwIfAborted()
      throw asTransient(error)
    }
  }
}

async function readWhole(
  response: Response,
  context: RequestContext,
  watchdog: Watchdog,
): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array[] = []
  let size = 0
  if (response.body) {
    for await (const part of watchdog.read(response.body)) {
      parts.push(part)
      size += part.byteLength
      if (size > MAX_ANSWER)
        throw new UntrustedAnswerError(context.repository, `it was longer than ${MAX_ANSWER} bytes`)
    }
  }
  const bytes = new Uint8Array(size)
  let offset = 0
  for (const part of parts) {
    bytes.set(part, offset)
    offset += part.byteLength
  }
  return bytes
}

/** The blob's name in an `ETag`: quoted, perhaps weak. A CDN's own tags are of another form. */
function blobHashOf(etag: string | null): string | undefined {
  const text = etag?.replace(/^W\//, '').replaceAll('"', '')
  return text !== undefined && isBlobHash(text) ? text : undefined
}
