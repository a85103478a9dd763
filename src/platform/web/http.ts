import { NotFoundError, RuntimeError } from '../../core/errors'
import { expectRange, type FileSource, type Repository } from '../../core/file'
import { checkPath } from '../../hub/names'
import { pageUrl } from './page'

const PART = 'http'

/** How much is fetched when a file is opened: enough for a config, or the header of most weights. */
const FIRST = 2 ** 18
/** How much is fetched at a time after that. Weights are read roughly in the order of the file. */
const WINDOW = 2 ** 24
/** How many of these are kept: networks read from a few places at once. */
const WINDOWS = 3

/** How a folder is fetched. */
export interface HttpOptions {
  /** Makes the requests; absent: the platform's own. */
  readonly fetch?: typeof globalThis.fetch
  /** Sent with every request. */
  readonly headers?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
}

/**
 * A folder of model files on a web server, such as `models/tiny-shapes/` beside the page. Of large files only the parts
 * that are asked for are fetched, where the server understands `Range`; nothing is stored.
 *
 * @param base - Address of the folder; relative to the page.
 */
export function httpRepository(base: string | URL, options: HttpOptions = {}): Repository {
  const folder = pageUrl(base)
  if (!folder.pathname.endsWith('/')) folder.pathname += '/'
  return {
    name: folder.href,
    async open(path) {
      checkPath(path, folder.href)
      return openHttpFile(new URL(path.split('/').map(encodeURIComponent).join('/'), folder), options)
    },
  }
}

/** A file, `undefined` when the server has none. */
async function openHttpFile(url: URL, options: HttpOptions): Promise<FileSource | undefined> {
  const response = await request(url, `bytes=0-${FIRST - 1}`, options)
  // A server for single-page applications answers with its page instead of 404.
  if (!response || response.headers.get('content-type')?.startsWith('text/html')) {
    await response?.body?.cancel()
    return undefined
  }
  const size = response.status === 206 ? Number(response.headers.get('content-range')?.split('/')[1]) : Number.NaN
  if (Number.isSafeInteger(size)) return new HttpFile(url, size, await bytesOf(url, response, options), options)
  if (response.status !== 206) return wholeFile(url, response, options)
  // Another origin may hide how long the file is.
  await response.body?.cancel()
  const whole = await request(url, undefined, options)
  return whole && wholeFile(url, whole, options)
}

/** Where the server sends files whole, the browser keeps them, perhaps on its disk, and gives parts of them. */
async function wholeFile(url: URL, response: Response, options: HttpOptions): Promise<FileSource> {
  const blob = await response.blob().catch((cause) => fail(url, cause, options))
  const source: FileSource = {
    name: url.href,
    size: blob.size,
    async read(offset, length) {
      expectRange(source, offset, length)
      return new Uint8Array(await blob.slice(offset, offset + length).arrayBuffer())
    },
  }
  return source
}

class HttpFile implements FileSource {
  readonly name: string
  /** Parts of the file, the one last used at the end. */
  private readonly windows: { start: number; bytes: Uint8Array }[]

  constructor(
    private readonly url: URL,
    readonly size: number,
    first: Uint8Array,
    private readonly options: HttpOptions,
  ) {
    this.name = url.href
    this.windows = [{ start: 0, bytes: first }]
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    expectRange(this, offset, length)
    const { windows } = this
    const holds = ({ start, bytes }: { start: number; bytes: Uint8Array }) =>
      offset >= start && offset + length <= start + bytes.length
    let index = windows.findIndex(holds)
    if (index < 0) {
      const end = Math.min(offset + Math.max(length, WINDOW), this.size)
      windows.push({ start: offset, bytes: await this.fetch(offset, end) })
      if (windows.length > WINDOWS) windows.shift()
      index = windows.length - 1
    }
    const [window] = windows.splice(index, 1)
    windows.push(window)
    return window.bytes.subarray(offset - window.start, offset - window.start + length)
  }

  private async fetch(start: number, end: number): Promise<Uint8Array> {
    const { url, options } = this
    const response = await request(url, `bytes=${start}-${end - 1}`, options)
    if (response?.status !== 206) {
      throw new RuntimeError(PART, `${url.href} changed: got status ${response?.status ?? 404}, expected 206`)
    }
    const bytes = await bytesOf(url, response, options)
    if (bytes.length === end - start) return bytes
    throw new RuntimeError(PART, `${url.href} was cut off: got ${bytes.length} bytes, expected ${end - start}`)
  }
}

async function bytesOf(url: URL, response: Response, options: HttpOptions): Promise<Uint8Array> {
  const buffer = await response.arrayBuffer().catch((cause) => fail(url, cause, options))
  return new Uint8Array(buffer)
}

/** The answer, `undefined` when there is no such file. */
async function request(
  url: URL,
  range: string | undefined,
  { fetch = globalThis.fetch, headers, signal }: HttpOptions,
): Promise<Response | undefined> {
  let response: Response
  try {
    response = await fetch(url, { headers: { ...headers, ...(range && { range }) }, signal })
  } catch (cause) {
    return fail(url, cause, { signal })
  }
  // 416: an empty file has no first byte.
  if (response.status === 416) return new Response(new Blob())
  if (response.ok) return response
  await response.body?.cancel()
  if (response.status === 404 || response.status === 410) return undefined
  const message = `${url.href} cannot be read: the server answered ${response.status} ${response.statusText}`
  throw response.status === 401 || response.status === 403
    ? new NotFoundError(PART, message.trimEnd())
    : new RuntimeError(PART, message.trimEnd())
}

function fail(url: URL, cause: unknown, { signal }: HttpOptions): never {
  signal?.throwIfAborted()
  const reason = cause instanceof Error ? cause.message : String(cause)
  throw new RuntimeError(PART, `${url.href} cannot be read: ${reason}`, { cause })
}
