import type { Cache, HubFile } from './cache'
import type { HubClient } from './client'
import { HubConnectionError, OfflineError } from './errors'
import { isCommit } from './names'

/** Whose revision it is, and whom to ask about it. */
export interface RevisionOptions {
  readonly id: string
  readonly revision: string
  readonly cache: Cache
  readonly client: HubClient
  readonly localFilesOnly: boolean
  readonly update: boolean
}

/**
 * A branch, tag or commit of a repository: which commit it stands for and which files that has. The cache is asked
 * first; once the Hub could not be reached, it is not asked again.
 */
export class Revision {
  readonly #options: RevisionOptions
  /** The commit, once known, and whether the Hub told it (or the caller: a commit stays what it is). */
  #commit?: { readonly hash: string; readonly fromHub: boolean }
  #listing?: Promise<ReadonlyMap<string, HubFile>>
  #unreachable?: HubConnectionError
  #isRecorded = false

  constructor(options: RevisionOptions) {
    this.#options = options
  }

  /** The commit: the cache's answer if it has one, unless an update is asked for. */
  async commit(signal?: AbortSignal): Promise<string> {
    const { id, revision, cache, update } = this.#options
    if (this.#commit) return this.#commit.hash
    if (isCommit(revision)) return this.#settle(revision, true)
    const cached = await cache.commitOf(id, revision)
    return cached === undefined || update ? this.#ask(cached, signal) : this.#settle(cached, false)
  }

  /** Asks the Hub where the branch is now, unless it told already. */
  async refresh(signal?: AbortSignal): Promise<void> {
    const cached = await this.commit(signal)
    if (this.#commit?.fromHub || this.#options.localFilesOnly || this.#unreachable) return
    this.#listing = undefined
    await this.#ask(cached, signal)
  }

  /**
   * The files of the commit, by path, as the Hub lists them.
   *
   * @param wanted - The files that it is asked for: an error names them.
   * @throws OfflineError when the Hub must not or cannot be asked.
   */
  async files(wanted: readonly string[], signal?: AbortSignal): Promise<ReadonlyMap<string, HubFile>> {
    this.#checkOnline(wanted)
    const { id, client } = this.#options
    this.#listing ??= client.listFiles(id, await this.commit(signal), signal)
    try {
      return await this.#listing
    } catch (error) {
      this.#listing = undefined
      throw this.#offline(error, wanted)
    }
  }

  /** Lets the cache remember where the branch is, now that its files are there. */
  async record(): Promise<void> {
    const { id, revision, cache } = this.#options
    if (this.#isRecorded || isCommit(revision) || !this.#commit?.fromHub) return
    await cache.recordCommit(id, revision, this.#commit.hash)
    this.#isRecorded = true
  }

  /** Asks the Hub for the commit; without a connection, the one that is cached does. */
  async #ask(cached: string | undefined, signal?: AbortSignal): Promise<string> {
    const { id, revision, client, localFilesOnly } = this.#options
    if (cached !== undefined && localFilesOnly) return this.#settle(cached, false)
    this.#checkOnline([])
    // With something to fall back on, a user without a connection should not wait for retries.
    const policy = cached === undefined ? undefined : { retries: 0, retryDelay: 0 }
    try {
      return this.#settle(await client.resolveRevision(id, revision, signal, policy), true)
    } catch (error) {
      const offline = this.#offline(error, [])
      if (offline instanceof OfflineError && cached !== undefined) return this.#settle(cached, false)
      throw offline
    }
  }

  #settle(hash: string, fromHub: boolean): string {
    this.#commit = { hash, fromHub }
    return hash
  }

  #checkOnline(wanted: readonly string[]): void {
    const { id, revision, localFilesOnly } = this.#options
    if (localFilesOnly) {
      const why = 'the Hub must not be asked (`localFilesOnly`, HF_HUB_OFFLINE)'
      throw new OfflineError(id, revision, why, wanted)
    }
    if (this.#unreachable) throw this.#offline(this.#unreachable, wanted)
  }

  /** The error for a failed question: without a connection it says what is missing. */
  #offline(error: unknown, wanted: readonly string[]): unknown {
    if (!(error instanceof HubConnectionError)) return error
    this.#unreachable = error
    const { id, revision, client } = this.#options
    const why = `the Hub at ${client.options.endpoint} cannot be reached (${error.message})`
    return new OfflineError(id, revision, why, wanted, { cause: error })
  }
}
