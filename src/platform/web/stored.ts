import type { Repository } from '../../core/file'
import type { HubRepository } from '../../hub/repository'
import type { StoredModel, WebRepositoryOptions } from './repository'
import type { WebCache } from './storage-cache'

// The browser's storage and the Hub are much code: a page that only takes a scheduler does without. So this file, which is
// what the package exports, loads it when it is used.

/**
 * A repository of the Hub, or a folder on a web server, such as one beside the page; both are stored in the browser, and
 * open without a network afterwards. What has the form of an id (`owner/name`) is one; anything else is an address,
 * relative to the page: `./models/tiny-shapes`, `models/tiny-shapes/`, `https://…`.
 */
export async function openRepository(
  idOrAddress: string,
  options: WebRepositoryOptions = {},
): Promise<Repository | HubRepository> {
  return (await import('./repository')).openRepository(idOrAddress, options)
}

/**
 * The Hub's files in the browser's storage: lists, verifies and removes them.
 *
 * @param folder - The folder of the storage; absent: `latentkit`.
 */
export async function browserCache(folder?: string): Promise<WebCache> {
  return (await import('./repository')).browserCache(folder)
}

/**
 * The Hub's repositories and the folders that are stored in the browser.
 *
 * @param folder - The folder of the storage; absent: `latentkit`.
 */
export async function listStored(folder?: string): Promise<readonly StoredModel[]> {
  return (await import('./repository')).listStored(folder)
}

/**
 * Removes a repository or a folder from the browser's storage.
 *
 * @param name - Its id or address, as {@link listStored} gives it.
 * @param folder - The folder of the storage; absent: `latentkit`.
 * @throws NotFoundError when the storage has no such repository.
 */
export async function removeStored(name: string, folder?: string): Promise<void> {
  return (await import('./repository')).removeStored(name, folder)
}

/**
 * Asks the browser not to delete what is stored when it needs room; it may ask the user, or decide by how the page is
 * used. Only a page can ask, not a worker.
 *
 * @returns Whether what is stored stays until the user deletes it.
 */
export async function persistStorage(): Promise<boolean> {
  return (await import('./storage')).persistStorage()
}
