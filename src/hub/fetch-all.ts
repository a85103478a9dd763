import type { ProgressListener } from '../core/progress'
import type { Cache, HubFile } from './cache'
import type { HubClient } from './client'
import { download } from './download'
import { DiskFullError } from './errors'

/** Files of one commit, and how they are fetched. */
export interface FetchAllOptions {
  readonly client: HubClient
  readonly cache: Cache
  readonly repository: string
  readonly commit: string
  readonly files: readonly HubFile[]
  /** How many at once. */
  readonly concurrency: number
  readonly onProgress?: ProgressListener
  readonly signal?: AbortSignal
}

/**
 * Brings files into the cache, several at once. The first failure stops the others; what they have is kept.
 *
 * @throws DiskFullError before anything is fetched, when it will not fit.
 */
export async function fetchAll(options: FetchAllOptions): Promise<void> {
  const { cache, repository, files, signal } = options
  signal?.throwIfAborted()
  await checkSpace(cache, repository, files)
  const controller = new AbortController()
  const onAbort = () => controller.abort(signal?.reason)
  signal?.addEventListener('abort', onAbort, { once: true })
  const queue = [...files]
  const worker = async () => {
    for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
      await download({ ...options, file, signal: controller.signal })
    }
  }
  const workers = Array.from({ length: Math.min(options.concurrency, files.length) }, async () => {
    try {
      await worker()
    } catch (error) {
      controller.abort(error)
      throw error
    }
  })
  try {
    await Promise.allSettled(workers)
    // Aborted by the first failure, whose error is the reason, or by the caller.
    controller.signal.throwIfAborted()
  } finally {
    signal?.removeEventListener('abort', onAbort)
  }
}

/** Files with the same bytes take their room once. */
async function checkSpace(cache: Cache, repository: string, files: readonly HubFile[]): Promise<void> {
  const blobs = [...new Map(files.map((file) => [file.hash, file])).values()]
  const remaining = await Promise.all(blobs.map((file) => cache.remaining(repository, file)))
  const needed = remaining.reduce((sum, bytes) => sum + bytes, 0)
  const free = await cache.freeBytes()
  if (free !== undefined && needed > free) {
    const what = files.length === 1 ? files[0].path : `${files.length} files of ${repository}`
    throw new DiskFullError(what, cache.name, needed, free, { advice: cache.adviceWhenFull })
  }
}
