import type { ProgressListener } from '../core/progress'
import type { BlobWriter, Cache, HubFile } from './cache'
import type { HubClient } from './client'
import { ChecksumMismatchError, FileChangedError, HubConnectionError } from './errors'
import { DownloadProgress } from './rate'
import { delay, retryWait, TransientError } from './retry'
import { Watchdog } from './watchdog'

/** Where a file comes from and where it goes. */
export interface Download {
  readonly client: HubClient
  readonly cache: Cache
  readonly repository: string
  readonly commit: string
  readonly file: HubFile
  readonly onProgress?: ProgressListener
  readonly signal?: AbortSignal
}

/**
 * Brings one file into the cache, unless it is there: resumed where it was broken off, tried again as long as it gets
 * on, fetched anew once if it arrives damaged.
 *
 * @throws HubConnectionError when the attempts are used up; what arrived is kept.
 * @throws ChecksumMismatchError when it arrives damaged twice.
 * @throws FileChangedError when the server has another file by now.
 */
export async function download(task: Download): Promise<void> {
  const { cache, repository, commit, file, signal } = task
  const store = () => cache.store(repository, commit, file, (writer) => fill(task, writer), signal)
  try {
    await store()
  } catch (error) {
    if (!(error instanceof ChecksumMismatchError)) throw error
    await store()
  }
}

/** Writes the bytes from the writer's offset to the end of the file. */
async function fill(task: Download, writer: BlobWriter): Promise<void> {
  const { client, repository, file, signal } = task
  const { options } = client
  const progress = new DownloadProgress(file.path, file.size, task.onProgress)
  // Attempts that get on do not count as failures, or a large file would never come over a line that breaks often. The
  // step keeps the number of requests bounded.
  const step = Math.min(2 ** 20, file.size / 20)
  let failures = 0
  let reached = writer.offset
  let viaXet = true
  progress.start(writer.offset)
  while (writer.offset < file.size) {
    try {
      await attempt(task, writer, progress, viaXet)
    } catch (error) {
      signal?.throwIfAborted()
      if (error instanceof FileChangedError) await writer.restart()
      if (!(error instanceof TransientError)) throw error
      viaXet = false
      const gotOn = writer.offset - reached >= step
      failures = gotOn ? 1 : failures + 1
      if (gotOn) reached = writer.offset
      const wait = failures <= options.retries ? retryWait(options, failures, error) : undefined
      if (wait === undefined) {
        const what = `fetching ${file.path} of ${repository} (${writer.offset} of ${file.size} bytes)`
        throw new HubConnectionError(what, failures, error.message, { cause: error })
      }
      await delay(wait, signal)
      progress.start(writer.offset)
    }
  }
}

/** One request for the rest of the file. */
async function attempt(task: Download, writer: BlobWriter, progress: DownloadProgress, viaXet: boolean): Promise<void> {
  const { client, repository, commit, file, signal } = task
  const watchdog = new Watchdog(client.options.timeout, signal)
  try {
    const body = await client.body(repository, commit, file, writer.offset, watchdog, viaXet)
    for await (const piece of body) {
      await writer.write(piece)
      progress.update(writer.offset)
    }
  } finally {
    watchdog.stop()
  }
  if (writer.offset < file.size) {
    throw new TransientError(`the answer ended after ${writer.offset} of ${file.size} bytes`)
  }
}
