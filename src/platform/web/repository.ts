import { NotFoundError } from '../../core/errors'
import type { Repository } from '../../core/file'
import { checkRevision, isRepositoryId } from '../../hub/names'
import type { RepositoryOptions } from '../../runtime/env'
import { httpRepository } from './http'

/**
 * A repository of the Hub, or a folder beside the page. What has the form of an id (`owner/name`) is one; anything else is
 * an address, relative to the page: `./models/tiny-shapes`, `models/tiny-shapes/`, `https://…`.
 *
 * @throws NotFoundError when only what is stored may be used: nothing is.
 */
export async function openRepository(idOrAddress: string, options: RepositoryOptions = {}): Promise<Repository> {
  const { endpoint = 'https://huggingface.co', revision = 'main', token, localFilesOnly, fetch, signal } = options
  if (!isRepositoryId(idOrAddress)) return httpRepository(idOrAddress, { fetch, signal })
  if (localFilesOnly) {
    throw new NotFoundError('hub', `${idOrAddress} is not stored in this browser: expected localFilesOnly to be off`)
  }
  checkRevision(revision)
  const address = `${endpoint.replace(/\/+$/, '')}/${idOrAddress}/resolve/${encodeURIComponent(revision)}/`
  const headers = token ? { authorization: `Bearer ${token}` } : undefined
  const repository = httpRepository(address, { fetch, signal, headers })
  return { ...repository, name: idOrAddress }
}
