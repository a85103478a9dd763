import { join } from 'node:path'
import { InvalidArgumentError } from '../../core/errors'
import { checkPath, checkRepositoryId, checkRevision, isBlobHash, isCommit, isRepositoryId } from '../../hub/names'

/**
 * Where things lie in a cache folder of Python's `huggingface_hub`, as its documentation lays down
 * (https://huggingface.co/docs/hub/local-cache). Every name is checked here once more, so that no caller can reach
 * outside the folder.
 */
export class DiskLayout {
  readonly root: string

  /** @param root - The cache's folder, absolute. */
  constructor(root: string) {
    this.root = root
  }

  /** The folder of a repository: `models--owner--name`. */
  repository(repository: string): string {
    return join(this.root, folderName(repository))
  }

  /** Where the blobs lie, each under its hash. */
  blobs(repository: string): string {
    return join(this.repository(repository), 'blobs')
  }

  blob(repository: string, hash: string): string {
    if (!isBlobHash(hash)) throw notOne('a hash', hash, '40 or 64 hexadecimal digits')
    return join(this.blobs(repository), hash)
  }

  /** The bytes of a blob that have arrived so far. */
  incomplete(repository: string, hash: string): string {
    return `${this.blob(repository, hash)}.incomplete`
  }

  /** The file that says where a branch or tag points. */
  ref(repository: string, revision: string): string {
    checkRevision(revision)
    return join(this.refs(repository), revision)
  }

  refs(repository: string): string {
    return join(this.repository(repository), 'refs')
  }

  /** The folders of the commits. */
  snapshots(repository: string): string {
    return join(this.repository(repository), 'snapshots')
  }

  /** The files of a commit under their own names, as links to blobs. */
  snapshot(repository: string, commit: string): string {
    return join(this.snapshots(repository), checkedCommit(commit))
  }

  /** One of them. */
  pointer(repository: string, commit: string, path: string): string {
    checkPath(path, repository)
    return join(this.snapshot(repository, commit), path)
  }

  /** Empty files for what a commit is known not to have. */
  absences(repository: string, commit: string): string {
    return join(this.repository(repository), '.no_exist', checkedCommit(commit))
  }

  absence(repository: string, commit: string, path: string): string {
    checkPath(path, repository)
    return join(this.absences(repository, commit), path)
  }

  locks(repository: string): string {
    return join(this.root, '.locks', folderName(repository))
  }

  /**
   * The lock of a blob. Python has a `flock` on `<hash>.lock` there and leaves that file behind, empty; so latentkit's
   * own lock, which is the existence of the file, has another name.
   */
  lock(repository: string, hash: string): string {
    if (!isBlobHash(hash)) throw notOne('a hash', hash, '40 or 64 hexadecimal digits')
    return join(this.locks(repository), `${hash}.latentkit.lock`)
  }
}

/** The repository whose folder it is; `undefined` for a folder of something else. */
export function repositoryOf(folder: string): string | undefined {
  const id = /^models--(.+)$/.exec(folder)?.[1].replace('--', '/')
  return id !== undefined && isRepositoryId(id) ? id : undefined
}

function folderName(repository: string): string {
  checkRepositoryId(repository)
  return `models--${repository.replace('/', '--')}`
}

function checkedCommit(commit: string): string {
  if (!isCommit(commit)) throw notOne('a commit', commit, '40 hexadecimal digits')
  return commit
}

function notOne(what: string, got: string, expected: string): InvalidArgumentError {
  return new InvalidArgumentError('cache', `not ${what}: got ${JSON.stringify(got)}, expected ${expected}`)
}
