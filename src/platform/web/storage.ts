import { warn } from '../../core/warn'
import { CachesStore } from './storage-caches'
import { MemoryStore } from './storage-memory'
import { hasOpfs, OpfsStore } from './storage-opfs'

/**
 * A place for files that outlives the page: named, written whole, read in parts. Paths have `/` between their parts; each
 * part is a name without special characters, or `encodeURIComponent` of one.
 */
export interface Store {
  /** What errors call it. */
  readonly name: string
  /** The file, to be read where it lies; `undefined` when there is none. */
  get(path: string): Promise<Blob | undefined>
  /**
   * Writes a file. No reader sees half of it; a crash may leave the beginning of a large one.
   *
   * @throws DOMException `QuotaExceededError` when it does not fit.
   */
  put(path: string, pieces: readonly Uint8Array[]): Promise<void>
  /** Paths of the files below a folder, relative to it, sorted. */
  list(folder: string): Promise<readonly string[]>
  /** Removes a file, or a folder with all that is in it; that there is none is no error. */
  remove(path: string): Promise<void>
}

const opened = new Map<string, Promise<Store>>()

/**
 * The best place that this page has: the origin's private file system (OPFS), else the Cache API, else memory, with a
 * warning. The page and its workers get the same one.
 *
 * @param folder - The folder that holds all.
 */
export function openStore(folder = 'latentkit'): Promise<Store> {
  const known = opened.get(folder) ?? findStore(folder)
  opened.set(folder, known)
  return known
}

async function findStore(folder: string): Promise<Store> {
  // Private windows of some browsers have the functions, and refuse to be asked.
  if (await hasOpfs()) return new OpfsStore(folder)
  if ((await globalThis.caches?.has(folder).catch(() => undefined)) !== undefined) return new CachesStore(folder)
  warn(
    'storage',
    'this page has no storage, so models are kept in memory until it closes: browsers give it to https and localhost alone, and not in all private windows',
  )
  return new MemoryStore()
}

/** Bytes that the browser grants the origin and that are not used yet, when it tells. */
export async function freeBytes(): Promise<number | undefined> {
  const { quota, usage = 0 } = (await globalThis.navigator?.storage?.estimate?.().catch(() => undefined)) ?? {}
  return quota === undefined ? undefined : Math.max(0, quota - usage)
}

/**
 * Asks the browser not to delete what is stored when it needs room; it may ask the user, or decide by how the page is
 * used. Only a page can ask, not a worker.
 *
 * @returns Whether what is stored stays until the user deletes it.
 */
export async function persistStorage(): Promise<boolean> {
  const { storage } = globalThis.navigator ?? {}
  if (await storage?.persisted?.().catch(() => false)) return true
  return (await storage?.persist?.().catch(() => false)) ?? false
}

let asked: Promise<boolean> | undefined

/** {@link persistStorage}, at the first call. */
export function persistOnce(): Promise<boolean> {
  asked ??= persistStorage()
  return asked
}
