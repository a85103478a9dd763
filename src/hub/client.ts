import { plainBody } from './body'
import type { HubFile } from './cache'
import { RevisionNotFoundError, UntrustedAnswerError } from './errors'
import { isBlobHash, isCommit, isInnerPath } from './names'
import type { RetryPolicy } from './retry'
import { type Fetch, Transport, type TransportOptions } from './transport'
import type { Watchdog } from './watchdog'
import { xetBody } from './xet'

/** How a {@link HubClient} works. */
export interface HubClientOptions extends TransportOptions {
  /** Whether files in xet storage are fetched with its protocol; if not, as all others. */
  readonly xet: boolean
}

/** The most answers that one listing may take: the Hub puts 1,000 files into each. */
const MAX_PAGES = 1000

/**
 * What latentkit asks of the Hub: which commit a revision is, which files it has, and their bytes. Listing and xet go
 * through `@huggingface/hub`, which is loaded when the first request is made.
 */
export class HubClient {
  readonly options: HubClientOptions
  readonly #transport: Transport

  constructor(options: HubClientOptions) {
    this.options = options
    this.#transport = new Transport(options)
  }

  /** The commit that a branch, a tag or a short hash stands for now. */
  async resolveRevision(
    repository: string,
    revision: string,
    signal?: AbortSignal,
    policy?: RetryPolicy,
  ): Promise<string> {
    const { modelInfo } = await import('#huggingface-hub')
    const fetch = this.#transport.wholeFetch({ repository, revision }, signal, policy)
    const hubUrl = this.options.endpoint
    const { sha } = await understood(repository, () =>
      modelInfo({ name: repository, revision, hubUrl, fetch, additionalFields: ['sha'] }),
    )
    if (sha === undefined) throw new RevisionNotFoundError(repository, revision)
    if (!isCommit(sha)) throw new UntrustedAnswerError(repository, `it names the commit ${JSON.stringify(sha)}`)
    return sha
  }

  /** All files of a commit, by path. */
  async listFiles(repository: string, commit: string, signal?: AbortSignal): Promise<ReadonlyMap<string, HubFile>> {
    const { listFiles } = await import('#huggingface-hub')
    const page = this.#transport.wholeFetch({ repository, revision: commit }, signal)
    let pages = 0
    const fetch: Fetch = async (input, init) => {
      if (++pages > MAX_PAGES) throw new UntrustedAnswerError(repository, `its list has more than ${MAX_PAGES} pages`)
      return page(input, init)
    }
    const files = new Map<string, HubFile>()
    const hubUrl = this.options.endpoint
    await understood(repository, async () => {
      for await (const entry of listFiles({ repo: repository, revision: commit, recursive: true, hubUrl, fetch })) {
        if (typeof entry !== 'object') throw new TypeError('a list of files is not one')
        if (entry.type !== 'file') continue
        const { path, oid, lfs, xetHash } = entry
        const file = { path, size: lfs?.size ?? entry.size, hash: lfs?.oid ?? oid ?? '', xetHash }
        files.set(path, checkedFile(repository, file))
      }
    })
    return files
  }

  /**
   * The bytes of a file from `offset` on.
   *
   * @param viaXet - Whether xet's protocol may be used for a file that is stored there.
   * @throws FileChangedError when the server now has another file under this name.
   */
  async body(
    repository: string,
    commit: string,
    file: HubFile,
    offset: number,
    watchdog: Watchdog,
    viaXet: boolean,
  ): Promise<AsyncIterable<Uint8Array>> {
    const open = viaXet && this.options.xet && file.xetHash !== undefined ? xetBody : plainBody
    return open(this.#transport, repository, commit, file, offset, watchdog)
  }
}

/** Runs the library; an answer that it cannot read is the server's fault, and is told as such. */
async function understood<T>(repository: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (cause) {
    if (!(cause instanceof SyntaxError || cause instanceof TypeError)) throw cause
    throw new UntrustedAnswerError(repository, `it is not what the Hub's API gives (${cause.message})`, { cause })
  }
}

/** @throws UntrustedAnswerError unless the file may be kept under its path and hash. */
function checkedFile(repository: string, file: HubFile): HubFile {
  const named = `it lists ${JSON.stringify(file.path)}`
  if (typeof file.path !== 'string' || !isInnerPath(file.path)) {
    throw new UntrustedAnswerError(repository, `${named}, which is outside the repository`)
  }
  if (!isBlobHash(file.hash)) {
    throw new UntrustedAnswerError(repository, `${named} with the hash ${JSON.stringify(file.hash)}`)
  }
  if (!Number.isSafeInteger(file.size) || file.size < 0) {
    throw new UntrustedAnswerError(repository, `${named} with the size ${JSON.stringify(file.size)}`)
  }
  return file
}
