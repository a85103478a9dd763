import { FormatError } from '../core/errors'
import type { FileSource, Repository } from '../core/file'
import type { ProgressListener } from '../core/progress'
import type { HubFile } from './cache'
import { FileNotFoundError, OfflineError, UnusableRepositoryError } from './errors'
import { fetchAll } from './fetch-all'
import { checkPath, checkRepositoryId, checkRevision } from './names'
import { type ComponentPlan, type PipelinePlan, type PlanOptions, planModel, planPipeline } from './plan'
import { Revision, type RevisionOptions } from './revision'

/** Listener and signal of one operation. */
export interface TransferOptions {
  readonly onProgress?: ProgressListener
  readonly signal?: AbortSignal
}

/** What a {@link HubRepository} is made of. */
export interface HubRepositoryOptions extends RevisionOptions, TransferOptions {
  /** How many files are fetched at once. */
  readonly concurrency: number
}

/** What fetching needs to know of a plan. */
type Plan = Pick<PipelinePlan, 'configs' | 'weights' | 'lookedFor' | 'problems'>

/**
 * A repository of the Hub at one revision. What the cache holds is used without asking the Hub; the rest is fetched when
 * it is opened, or before, several files at once, by the `prefetch` methods.
 */
export class HubRepository implements Repository {
  readonly name: string
  /** `name` or `owner/name`. */
  readonly id: string
  /** Branch, tag or commit. */
  readonly revision: string
  readonly #options: HubRepositoryOptions
  readonly #at: Revision
  /** Folders whose files were planned and are there: what they lack is known not to be needed. */
  readonly #complete = new Set<string>()

  /** @throws InvalidArgumentError when id or revision are not such. */
  constructor(options: HubRepositoryOptions) {
    checkRepositoryId(options.id)
    checkRevision(options.revision)
    this.id = options.id
    this.revision = options.revision
    this.name = options.revision === 'main' ? options.id : `${options.id}@${options.revision}`
    this.#options = options
    this.#at = new Revision(options)
  }

  /** The commit that the revision stands for: the cache's answer if it has one, unless an update is asked for. */
  commit(): Promise<string> {
    return this.#at.commit(this.#options.signal)
  }

  /** All files of the repository, as the Hub lists them. */
  async list(): Promise<readonly HubFile[]> {
    return [...(await this.#at.files([], this.#options.signal)).values()]
  }

  /**
   * The file at `path`, fetched if need be, or `undefined` when the repository has none.
   *
   * @throws OfflineError when it is not cached and the Hub must not or cannot be asked.
   */
  async open(path: string): Promise<FileSource | undefined> {
    checkPath(path, this.name)
    const { cache, signal } = this.#options
    const commit = await this.commit()
    const cached = await cache.open(this.id, commit, path)
    // A pipeline's index is read before the rest is fetched: on its own it does not make the branch's files complete.
    const isBeginning = path.endsWith('model_index.json')
    if (cached) {
      if (!isBeginning) await this.#at.record()
      return cached
    }
    const isComplete = this.#complete.has(path.slice(0, path.lastIndexOf('/') + 1))
    if (isComplete || (await cache.isAbsent(this.id, commit, path))) return undefined
    const file = (await this.#at.files([path], signal)).get(path)
    if (file === undefined) {
      await cache.recordAbsent(this.id, commit, path)
      return undefined
    }
    await this.#fetch([file], this.#options)
    if (!isBeginning) await this.#at.record()
    return cache.open(this.id, commit, path)
  }

  /**
   * Fetches files, several at once.
   *
   * @throws FileNotFoundError when the repository lacks one of them; nothing is fetched then.
   * @throws OfflineError when one is not cached and the Hub must not or cannot be asked.
   */
  async prefetch(paths: readonly string[], options: TransferOptions = {}): Promise<void> {
    for (const path of paths) checkPath(path, this.name)
    await this.#prefetch(paths, { ...this.#options, ...options })
    await this.#at.record()
  }

  /**
   * Fetches what a diffusers pipeline needs, and tells what that is. Afterwards `open` finds these files without asking
   * the Hub.
   *
   * @throws UnusableRepositoryError when components cannot be used: it says which, and why.
   * @throws OfflineError when files are not cached and the Hub must not or cannot be asked; it lists them.
   */
  async prefetchPipeline(options: PlanOptions & TransferOptions = {}): Promise<PipelinePlan> {
    const transfer = { ...this.#options, ...options }
    const folder = options.subfolder ? `${options.subfolder}/` : ''
    const index = `${folder}model_index.json`
    const plan = await this.#prefetchPlan(transfer, async (listing): Promise<Plan | PipelinePlan> => {
      if (listing.includes(index)) {
        return planPipeline(await this.#fetchJson(index, transfer), listing, options)
      }
      const reason = `there is no ${index}, so it is no diffusers pipeline`
      return {
        configs: [],
        weights: [],
        lookedFor: [],
        problems: [{ component: 'pipeline', reason, missing: [index] }],
      }
    })
    if (!('components' in plan)) throw new UnusableRepositoryError(this.name, plan.problems)
    for (const component of plan.components.keys()) this.#complete.add(`${folder}${component}/`)
    return plan
  }

  /** Fetches what one model needs, such as a VAE that is a repository of its own; see {@link prefetchPipeline}. */
  async prefetchModel(
    options: Pick<PlanOptions, 'variant' | 'subfolder'> & TransferOptions = {},
  ): Promise<ComponentPlan> {
    const folder = options.subfolder ? `${options.subfolder}/` : ''
    const { model, problems } = await this.#prefetchPlan({ ...this.#options, ...options }, async (listing) => {
      const model = planModel(listing, options)
      if ('reason' in model) {
        return {
          configs: [],
          weights: [],
          lookedFor: [],
          problems: [{ component: folder || 'model', ...model }],
          model,
        }
      }
      const { files = [], lookedFor = [] } = model.weights ?? {}
      return { configs: model.configs, weights: files, lookedFor, problems: [], model }
    })
    if ('reason' in model) throw new UnusableRepositoryError(this.name, problems)
    this.#complete.add(folder)
    return model
  }

  /**
   * Plans over what the cache holds, and if that is not all over what the Hub lists; then fetches the plan, the small
   * files first, so that a download broken off is never taken for a complete one.
   */
  async #prefetchPlan<T extends Plan>(
    transfer: TransferOptions,
    plan: (listing: readonly string[]) => Promise<T>,
  ): Promise<T> {
    const { cache, update } = this.#options
    const { signal } = transfer
    const cached = await this.#at.commit(signal)
    const local = await plan(await cache.files(this.id, cached))
    const isUsable = local.problems.length === 0
    const absent = await Promise.all(local.lookedFor.map((path) => cache.isAbsent(this.id, cached, path)))
    if (isUsable && absent.every(Boolean) && !update) return local
    let remote: T
    try {
      await this.#at.refresh(signal)
      const missing = local.problems.flatMap((problem) => problem.missing)
      remote = await plan([...(await this.#at.files(missing, signal)).keys()])
    } catch (error) {
      if (error instanceof OfflineError && isUsable) return local
      throw error
    }
    if (remote.problems.length > 0) throw new UnusableRepositoryError(this.name, remote.problems)
    await this.#prefetch(remote.configs, transfer)
    await this.#prefetch(remote.weights, transfer)
    const commit = await this.#at.commit(signal)
    await Promise.all(remote.lookedFor.map((path) => cache.recordAbsent(this.id, commit, path)))
    await this.#at.record()
    return remote
  }

  async #prefetch(paths: readonly string[], options: TransferOptions): Promise<void> {
    const { cache } = this.#options
    const commit = await this.#at.commit(options.signal)
    const cached = await Promise.all(paths.map((path) => cache.open(this.id, commit, path)))
    const missing = paths.filter((_, i) => cached[i] === undefined)
    if (missing.length === 0) return
    const listing = await this.#at.files(missing, options.signal)
    const files = missing.map((path) => {
      const file = listing.get(path)
      if (file === undefined) throw new FileNotFoundError(this.id, this.revision, path)
      return file
    })
    await this.#fetch(files, options)
  }

  async #fetch(files: readonly HubFile[], { onProgress, signal }: TransferOptions): Promise<void> {
    const { cache, client, concurrency } = this.#options
    const commit = await this.#at.commit(signal)
    await fetchAll({ cache, client, repository: this.id, commit, files, concurrency, onProgress, signal })
  }

  /** Reads a small file. That the branch points here is not recorded yet: the rest may still be missing. */
  async #fetchJson(path: string, transfer: TransferOptions): Promise<unknown> {
    await this.#prefetch([path], transfer)
    const file = await this.#options.cache.open(this.id, await this.commit(), path)
    if (file === undefined) throw new FileNotFoundError(this.id, this.revision, path)
    try {
      return JSON.parse(new TextDecoder().decode(await file.read(0, file.size)))
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause)
      throw new FormatError(path, `${this.name}: it is not JSON: ${reason}`, { cause })
    }
  }
}
