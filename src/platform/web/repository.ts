import type { Repository } from '../../core/file'
import type { Cache, CachedRepository } from '../../hub/cache'
import { isRepositoryId } from '../../hub/names'
import type { HubRepository } from '../../hub/repository'
import { hubRepository, type RepositoryOptions } from '../../hub/resolve'
import { httpRepository } from './http'
import { openStore } from './storage'
import { WebCache } from './storage-cache'
import { listFolders, removeFolder, storedFolder } from './storage-folder'
import { MemoryStore } from './storage-memory'

/** How a repository is found and fetched in the browser. */
export interface WebRepositoryOptions extends RepositoryOptions {
  /** Where files of the Hub are kept; absent: the browser's storage. */
  readonly cache?: Cache
  /** The folder of the browser's storage; absent: `latentkit`. */
  readonly cacheDir?: string
}

/**
 * A repository of the Hub, or a folder on a web server, such as one beside the page; both are stored in the browser, and
 * open without a network afterwards. What has the form of an id (`owner/name`) is one; anything else is an address,
 * relative to the page: `./models/tiny-shapes`, `models/tiny-shapes/`, `https://…`.
 */
export async function openRepository(
  idOrAddress: string,
  options: WebRepositoryOptions = {},
): Promise<Repository | HubRepository> {
  if (isRepositoryId(idOrAddress)) {
    const cache = options.cache ?? (await browserCache(options.cacheDir))
    return hubRepository(idOrAddress, cache, options)
  }
  const store = await openStore(options.cacheDir)
  // In memory, a copy of all files would be worse than reading them where they are.
  return store instanceof MemoryStore ? httpRepository(idOrAddress, options) : storedFolder(store, idOrAddress, options)
}

/**
 * The Hub's files in the browser's storage: lists, verifies and removes them.
 *
 * @param folder - The folder of the storage.
 */
export async function browserCache(folder?: string): Promise<WebCache> {
  return new WebCache(await openStore(folder))
}

/** What the browser stores under one name. */
export interface StoredModel {
  /** The repository's id, or the folder's address. */
  readonly name: string
  /** Bytes. */
  readonly size: number
}

/** The Hub's repositories and the folders that are stored in the browser. */
export async function listStored(folder?: string): Promise<readonly StoredModel[]> {
  const store = await openStore(folder)
  const repositories: readonly CachedRepository[] = await new WebCache(store).list()
  const folders = await listFolders(store)
  return [
    ...repositories.map(({ repository, size }) => ({ name: repository, size })),
    ...folders.map(({ address, size }) => ({ name: address, size })),
  ]
}

/**
 * Removes a repository or a folder from the browser's storage.
 *
 * @param name - Its id or address, as {@link listStored} gives it.
 * @throws NotFoundError when the storage has no such repository.
 */
export async function removeStored(name: string, folder?: string): Promise<void> {
  const store = await openStore(folder)
  if (isRepositoryId(name)) await new WebCache(store).remove(name)
  else await removeFolder(store, name)
}
