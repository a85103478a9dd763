import { NotFoundError, RuntimeError } from '../../core/errors'
import type { FileSource } from '../../core/file'
import type { ProgressListener } from '../../core/progress'
import { warn } from '../../core/warn'
import { DownloadProgress } from '../../hub/rate'
import { type HttpOptions, httpRepository } from './http'
import { persistOnce, type Store } from './storage'
import { hold, isHeld } from './storage-lock'
import { completeness, PartWriter, partsSize, partsSource } from './storage-parts'

const PART = 'storage'
/** Beside the parts of a file that is arriving: the version that they are of. */
const VERSION = 'version'
/** The version of a file that the server does not have. */
const NONE = 'none'

/** How a file of a folder is fetched and stored. */
export interface StoredFileOptions extends HttpOptions {
  /** Asks no server: what is not stored is an error. */
  readonly localFilesOnly?: boolean
  readonly onProgress?: ProgressListener
}

/**
 * Opens a file that is stored in `place`, after it was fetched if the server has another one than is stored there.
 *
 * @param path - Relative to the folder.
 * @returns `undefined` when the folder has no such file.
 * @throws RuntimeError when it is not stored and the server cannot be reached.
 */
export async function openStoredFile(
  store: Store,
  place: string,
  folder: URL,
  path: string,
  options: StoredFileOptions,
): Promise<FileSource | undefined> {
  const url = new URL(path.split('/').map(encodeURIComponent).join('/'), folder)
  const stored = await completeness(store, place)
  const openStored = async (version: string) => {
    if (version === NONE) return undefined
    await hold(useOf(store, place))
    return partsSource(store, place, await partsSize(store, place), url.href)
  }
  if (options.localFilesOnly) {
    if (stored === undefined) throw new NotFoundError(PART, `${url.href} is not stored in this browser`)
    return openStored(stored)
  }
  try {
    return await openStored(await update(store, place, url, stored, path, options))
  } catch (error) {
    options.signal?.throwIfAborted()
    if (isFull(error)) {
      warn(PART, `${url.href} does not fit into ${store.name}: it is read from the server each time`)
      await store.remove(place)
      return httpRepository(folder, options).open(path)
    }
    if (error instanceof InUseError) return httpRepository(folder, options).open(path)
    // What was stored may be gone, when a newer version was on its way.
    if (stored !== undefined && (await completeness(store, place)) === stored) return openStored(stored)
    throw error
  }
}

/** What is stored is another version, which a page or worker reads from: it stays until they end. */
class InUseError extends Error {}

const useOf = (store: Store, place: string) => `${store.name} ${place}`

/**
 * Fetches the file unless the stored version is the server's, and gives the version.
 *
 * @throws InUseError when the stored version is another and cannot be replaced now.
 */
async function update(
  store: Store,
  place: string,
  url: URL,
  stored: string | undefined,
  path: string,
  options: StoredFileOptions,
): Promise<string> {
  const writer = await PartWriter.open(store, place)
  const arrived = stored ?? (await (await store.get(`${place}/${VERSION}`))?.text())
  const offset = stored === undefined && arrived ? writer.offset : 0
  let answer = await request(url, offset, options)
  const isRest = answer.status === 206 && beginOf(answer) === offset && versionOf(answer) === arrived
  if (offset > 0 && !isRest) {
    await answer.body?.cancel()
    answer = await request(url, 0, options)
  }
  const version = versionOf(answer)
  // Without a name for the version there is no knowing that it is the same.
  if (version === stored && version !== '') {
    await answer.body?.cancel()
    return version
  }
  if (stored !== undefined && stored !== NONE && (await isHeld(useOf(store, place)))) {
    await answer.body?.cancel()
    throw new InUseError(url.href)
  }
  if (!isRest) await writer.restart()
  if (version === NONE) await answer.body?.cancel()
  else {
    void persistOnce()
    await store.put(`${place}/${VERSION}`, [new TextEncoder().encode(version)])
    await receive(answer, writer, url, path, options)
  }
  await writer.complete(version)
  return version
}

/** Writes the body of an answer, and keeps what came when it is broken off. */
async function receive(
  answer: Response,
  writer: PartWriter,
  url: URL,
  path: string,
  { onProgress, signal }: StoredFileOptions,
): Promise<void> {
  const total = sizeOf(answer)
  const progress = new DownloadProgress(path, total ?? Number.NaN, onProgress)
  progress.start(writer.offset)
  const reader = answer.body?.getReader()
  try {
    for (let next = await reader?.read(); next && !next.done; next = await reader?.read()) {
      await writer.write(next.value)
      progress.update(writer.offset)
    }
  } catch (cause) {
    if (isFull(cause)) throw cause
    await writer.flush()
    signal?.throwIfAborted()
    throw unreadable(url, messageOf(cause), cause)
  }
  if (total === undefined || writer.offset === total) return
  await writer.flush()
  throw unreadable(url, `it was cut off: got ${writer.offset} bytes, expected ${total}`)
}

async function request(
  url: URL,
  offset: number,
  { fetch = globalThis.fetch, headers, signal }: StoredFileOptions,
): Promise<Response> {
  let answer: Response
  try {
    answer = await fetch(url, { headers: { ...headers, ...(offset > 0 && { range: `bytes=${offset}-` }) }, signal })
  } catch (cause) {
    signal?.throwIfAborted()
    throw unreadable(url, messageOf(cause), cause)
  }
  const { ok, status, statusText } = answer
  if (ok || isNone(answer) || (status === 416 && offset > 0)) return answer
  await answer.body?.cancel()
  throw unreadable(url, `the server answered ${status} ${statusText}`.trimEnd())
}

/** A server for single-page applications answers with its page instead of 404. */
function isNone({ status, headers }: Response): boolean {
  return status === 404 || status === 410 || headers.get('content-type')?.startsWith('text/html') === true
}

/** What tells this version of the file from others; empty when the server says nothing that does. */
function versionOf(answer: Response): string {
  if (isNone(answer)) return NONE
  const tag = answer.headers.get('etag') ?? answer.headers.get('last-modified') ?? ''
  return tag && `${tag} ${sizeOf(answer) ?? ''}`
}

/** The whole file's length in bytes, when the server tells it. */
function sizeOf({ headers }: Response): number | undefined {
  if (headers.get('content-encoding')) return undefined
  const text = headers.get('content-range')?.split('/')[1] ?? headers.get('content-length') ?? ''
  return /^\d+$/.test(text) ? Number(text) : undefined
}

function beginOf({ headers }: Response): number {
  return Number(/^bytes (\d+)-/.exec(headers.get('content-range') ?? '')?.[1])
}

function isFull(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'QuotaExceededError'
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function unreadable(url: URL, reason: string, cause?: unknown): RuntimeError {
  return new RuntimeError(PART, `${url.href} cannot be read: ${reason}`, { cause })
}
