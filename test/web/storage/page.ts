// Runs in a page or a worker: the contract of caches over the browser's storage, and what else the tests ask for.
import type { FileSource } from '../../../src/core/file'
import { openRepository } from '../../../src/platform/web/repository'
import { freeBytes, type Store } from '../../../src/platform/web/storage'
import { WebCache } from '../../../src/platform/web/storage-cache'
import { CachesStore } from '../../../src/platform/web/storage-caches'
import { startHash } from '../../../src/platform/web/storage-hash'
import { hasOpfs, OpfsStore } from '../../../src/platform/web/storage-opfs'
import { cacheContract } from '../../contracts/cache'
import { tests } from './vitest'

export type StoreKind = 'opfs' | 'caches'

const createStore = (kind: StoreKind, folder: string): Store =>
  kind === 'opfs' ? new OpfsStore(folder) : new CachesStore(folder)

let kind: StoreKind = 'opfs'
const run = Math.random().toString(36).slice(2)
cacheContract('the cache of the browser', {
  keepsHashes: true,
  create: async (place) => new WebCache(createStore(kind, `test-${run}-${kind}-${place}`)),
})

const REPOSITORY = 'owner/name'
const COMMIT = 'a'.repeat(40)

/** Bytes that are cheap to make and different everywhere. */
function pattern(offset: number, length: number): Uint8Array {
  const words = new Uint32Array(length / 4)
  for (let i = 0; i < words.length; i++) words[i] = Math.imul(offset / 4 + i, 2654435761)
  return new Uint8Array(words.buffer)
}

const PIECE = 2 ** 20

async function patternFile(path: string, size: number) {
  const hash = await startHash('0'.repeat(64), size)
  for (let at = 0; at < size; at += PIECE) hash.update(pattern(at, Math.min(PIECE, size - at)))
  return { path, size, hash: hash.digest() }
}

const files: FileSource[] = []
const textOf = async (file?: FileSource) => new TextDecoder().decode(await file?.read(0, file.size))

const tools = {
  hasOpfs,
  freeBytes,

  names: async () => [...tests.keys()],

  /** One test of the contract; rejects as it fails. */
  async test(store: StoreKind, name: string): Promise<void> {
    kind = store
    await tests.get(name)?.()
  },

  /** Stores a large file up to `end`, where the line breaks unless it is the whole; tells from where on it was written. */
  async store(store: StoreKind, folder: string, size: number, end = size): Promise<number> {
    const cache = new WebCache(createStore(store, folder))
    const file = await patternFile('large.bin', size)
    let begin = -1
    const storing = cache.store(REPOSITORY, COMMIT, file, async (writer) => {
      begin = writer.offset
      while (writer.offset < end) {
        await writer.write(pattern(writer.offset, Math.min(PIECE, end - writer.offset)))
      }
      if (end < size) throw new Error('the line broke')
    })
    await storing.catch((error: Error) => {
      if (error.message !== 'the line broke') throw error
    })
    return begin
  },

  /** Reads ranges of it and compares them with what was written. */
  async check(store: StoreKind, folder: string, ranges: readonly (readonly [number, number])[]): Promise<boolean[]> {
    const file = await new WebCache(createStore(store, folder)).open(REPOSITORY, COMMIT, 'large.bin')
    if (!file) throw new Error('it is not there')
    const same: boolean[] = []
    for (const [offset, length] of ranges) {
      const bytes = await file.read(offset, length)
      const start = offset - (offset % 4)
      const expected = pattern(start, Math.ceil((length + 4) / 4) * 4).subarray(offset - start, offset - start + length)
      same.push(bytes.length === length && bytes.every((byte, i) => byte === expected[i]))
    }
    return same
  },

  async remove(store: StoreKind, folder: string): Promise<number> {
    return new WebCache(createStore(store, folder)).remove(REPOSITORY)
  },

  /** What a repository or a folder has at `paths`: the length of each, `undefined` where it has none. */
  async lengths(name: string, paths: readonly string[], options: { endpoint?: string; cacheDir?: string } = {}) {
    const repository = await openRepository(name, options)
    return Promise.all(paths.map(async (path) => (await (await repository.open(path))?.read(0, 1))?.length))
  },

  /** Opens a file of a folder, which stays open, and reads it. */
  async openFile(folder: string, path: string): Promise<string> {
    const file = await (await openRepository(folder)).open(path)
    if (file) files.push(file)
    return textOf(file)
  },

  /** Reads the files that were opened, again. */
  readFiles: () => Promise.all(files.map(textOf)),
}

export type StorageTools = typeof tools

// A worker answers its page; a page is asked directly.
if ('WorkerGlobalScope' in globalThis) {
  globalThis.addEventListener('message', async ({ data: [id, name, args] }) => {
    const tool = (tools as Record<string, (...args: unknown[]) => Promise<unknown>>)[name]
    const answer = await tool(...args).then(
      (value) => ({ value }),
      (error: Error) => ({ message: error.message }),
    )
    postMessage([id, answer])
  })
  postMessage('ready')
}
Object.assign(globalThis, { tools })
