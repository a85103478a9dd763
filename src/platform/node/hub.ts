import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import { InvalidArgumentError, NotFoundError } from '../../core/errors'
import type { Repository } from '../../core/file'
import type { Cache } from '../../hub/cache'
import { isRepositoryId } from '../../hub/names'
import type { HubRepository } from '../../hub/repository'
import { hubRepository, type RepositoryOptions, resolveRepository } from '../../hub/resolve'
import { DiskCache } from './disk-cache'
import { localRepository } from './files'
import { type HubEnvironment, hubEnvironment } from './hub-environment'

/** How a repository is found and fetched in Node: what is left out comes from the environment. */
export interface NodeRepositoryOptions extends RepositoryOptions {
  /** The cache's folder; absent: where Python's `huggingface_hub` has it (`HF_HUB_CACHE`, `HF_HOME`). */
  readonly cacheDir?: string
  /** A cache of another kind; `cacheDir` then means nothing. */
  readonly cache?: Cache
}

/**
 * A local folder if there is one of that name, else the repository of the Hub, cached on the disk.
 *
 * @throws NotFoundError when it has the form of a path, but there is no such folder.
 * @throws InvalidArgumentError when it is neither a folder nor of the form of a repository's id.
 */
export async function openRepository(
  idOrFolder: string,
  options: NodeRepositoryOptions = {},
): Promise<Repository | HubRepository> {
  const environment = hubEnvironment()
  const cache = options.cache ?? diskCache(options.cacheDir)
  return resolveRepository(idOrFolder, { cache, openFolder }, withEnvironment(options, environment))
}

/** A repository of the Hub, cached on the disk, also when there is a folder of that name. */
export function openHubRepository(id: string, options: NodeRepositoryOptions = {}): HubRepository {
  const environment = hubEnvironment()
  const cache = options.cache ?? diskCache(options.cacheDir)
  return hubRepository(id, cache, withEnvironment(options, environment))
}

/** The disk cache in `cacheDir`, or where the environment says. */
export function diskCache(cacheDir?: string): DiskCache {
  if (cacheDir === '') throw new InvalidArgumentError('cache', 'cacheDir is empty: expected the path of a folder')
  return new DiskCache(cacheDir ?? hubEnvironment().cacheDir)
}

function withEnvironment(options: NodeRepositoryOptions, environment: HubEnvironment): RepositoryOptions {
  return {
    ...options,
    token: options.token ?? environment.token,
    endpoint: options.endpoint ?? environment.endpoint,
    localFilesOnly: options.localFilesOnly ?? environment.isOffline,
    xet: options.xet ?? environment.xet,
  }
}

async function openFolder(path: string): Promise<Repository | undefined> {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return localRepository(path)
  if (isRepositoryId(path)) return undefined
  throw new NotFoundError(
    'hub',
    `there is no folder ${resolve(path)}, and ${JSON.stringify(path)} is no repository's id`,
  )
}
