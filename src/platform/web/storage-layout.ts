import { InvalidArgumentError } from '../../core/errors'
import { checkRepositoryId, isBlobHash, isCommit, isRepositoryId } from '../../hub/names'

/** The folder of the Hub's repositories. */
export const HUB = 'hub'

/** The folder of a repository, `hub/owner%2Fname`: its index, and a folder for each blob. */
export function repositoryFolder(repository: string): string {
  checkRepositoryId(repository)
  return `${HUB}/${encodeURIComponent(repository)}`
}

/** The folder of a blob's parts. */
export function blobFolder(repository: string, hash: string): string {
  if (!isBlobHash(hash)) throw notOne('a hash', hash, '40 or 64 hexadecimal digits')
  return `${repositoryFolder(repository)}/${hash}`
}

/** The repository whose folder it is; `undefined` for a folder of something else. */
export function repositoryOf(folder: string): string | undefined {
  const id = decodeURIComponent(folder)
  return isRepositoryId(id) ? id : undefined
}

/** @throws InvalidArgumentError unless it is a commit's full hash. */
export function checkCommit(commit: string): string {
  if (!isCommit(commit)) throw notOne('a commit', commit, '40 hexadecimal digits')
  return commit
}

function notOne(what: string, got: string, expected: string): InvalidArgumentError {
  return new InvalidArgumentError('storage', `not ${what}: got ${JSON.stringify(got)}, expected ${expected}`)
}
