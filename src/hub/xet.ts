import type { HubFile } from './cache'
import { FileChangedError } from './errors'
import { asTransient, TransientError } from './retry'
import type { Fetch, Transport } from './transport'
import type { Watchdog } from './watchdog'

/** What one download may hold in memory of chunks that are not yet in order. */
const MAX_IN_FLIGHT = 64 * 2 ** 20

/**
 * The bytes of a file in xet storage from `offset` on, put together from its chunks by `@huggingface/hub`. Whatever goes
 * wrong counts as transient, because the same file is to be had over plain HTTP.
 *
 * @throws FileChangedError when the server now has another file under this name.
 */
export async function xetBody(
  transport: Transport,
  repository: string,
  commit: string,
  file: HubFile,
  offset: number,
  watchdog: Watchdog,
): Promise<AsyncIterable<Uint8Array>> {
  const { downloadFile, fileDownloadInfo } = await import('#huggingface-hub')
  const fetch: Fetch = async (input, init) => {
    const url = input instanceof Request ? input.url : input
    return (await transport.follow(url, new Headers(init?.headers), watchdog)).response
  }
  const place = { repo: repository, path: file.path, revision: commit, hubUrl: transport.options.endpoint, fetch }
  try {
    const downloadInfo = await watchdog.race(fileDownloadInfo(place))
    if (!downloadInfo?.xet) throw new TransientError('the Hub does not offer the file from xet storage')
    const etag = downloadInfo.etag.replaceAll('"', '')
    if (etag !== file.hash || downloadInfo.size !== file.size) {
      const got = `hash ${etag}, ${downloadInfo.size} bytes`
      throw new FileChangedError(`${file.path} of ${repository}`, got, `${file.hash}, ${file.size} bytes`)
    }
    const parallelDownloads = { maxInFlightBytes: MAX_IN_FLIGHT }
    const blob = await watchdog.race(downloadFile({ ...place, downloadInfo, parallelDownloads }))
    if (blob === null) throw new TransientError('xet storage does not have the file')
    return watchdog.read(blob.slice(offset).stream())
  } catch (error) {
    watchdog.signal.throwIfAborted()
    throw error instanceof FileChangedError ? error : asTransient(error)
  }
}
