import type { HubFile } from './cache'
import { FileChangedError } from './errors'
import { TransientError } from './retry'
import type { Transport } from './transport'
import type { Watchdog } from './watchdog'

/**
 * The bytes of a file from `offset` on, over plain HTTP.
 *
 * @throws FileChangedError when the server now has another file under this name.
 */
export async function plainBody(
  transport: Transport,
  repository: string,
  commit: string,
  file: HubFile,
  offset: number,
  watchdog: Watchdog,
): Promise<AsyncIterable<Uint8Array>> {
  const path = file.path.split('/').map(encodeURIComponent).join('/')
  const url = `${transport.options.endpoint}/${repository}/resolve/${commit}/${path}`
  // A compressed answer has no ranges, and its length says nothing of the file's.
  const headers = new Headers({ 'accept-encoding': 'identity' })
  if (offset > 0) headers.set('range', `bytes=${offset}-`)
  const context = { repository, revision: commit, path: file.path }
  const { response, hash } = await transport.request(url, headers, context, watchdog)
  const { start, total } = rangeOf(response)
  const refuse = async (error: Error): Promise<never> => {
    await response.body?.cancel()
    throw error
  }
  const name = `${file.path} of ${repository}`
  if (hash !== undefined && hash !== file.hash) await refuse(new FileChangedError(name, `hash ${hash}`, file.hash))
  if (total !== undefined && total !== file.size) {
    await refuse(new FileChangedError(name, `${total} bytes`, `${file.size} bytes`))
  }
  if (start > offset || response.body === null) {
    return refuse(new TransientError(`the answer begins at byte ${start} instead of ${offset}`))
  }
  const pieces = watchdog.read(response.body)
  return start < offset ? skip(pieces, offset - start) : pieces
}

/** Where an answer begins in the file, and the file's size if it says so. A server may give all when asked for a part. */
function rangeOf(response: Response): { start: number; total?: number } {
  if (response.status !== 206) return { start: 0 }
  const [, start, total] = /^bytes (\d+)-\d+\/(\d+)?/.exec(response.headers.get('content-range') ?? '') ?? []
  return {
    start: start === undefined ? Number.POSITIVE_INFINITY : Number(start),
    total: total === undefined ? undefined : Number(total),
  }
}

/** The pieces without their first `count` bytes. */
async function* skip(pieces: AsyncIterable<Uint8Array>, count: number): AsyncGenerator<Uint8Array> {
  let left = count
  for await (const piece of pieces) {
    const cut = Math.min(left, piece.byteLength)
    left -= cut
    if (cut < piece.byteLength) yield piece.subarray(cut)
  }
}
