import { InvalidArgumentError } from '../core/errors'

/** A name that the Hub gives to an owner or a repository. */
const NAME = /^[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9_])?$/
/** ASCII control characters, DEL included. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CONTROL = /[\u0000-\u001f\u007f]/

/** A commit's full hash. */
export function isCommit(text: string): boolean {
  return /^[0-9a-f]{40}$/.test(text)
}

/** The hash that names a blob: a SHA-256 (files in LFS or xet storage) or a git SHA-1 (the others). */
export function isBlobHash(text: string): boolean {
  return /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(text)
}

/** Whether `text` has the form of a repository's id, `name` or `owner/name`, as `huggingface_hub` defines it. */
export function isRepositoryId(text: string): boolean {
  const parts = text.split('/')
  return parts.length <= 2 && parts.every((part) => NAME.test(part)) && !/--|\.\.|\.git$/.test(text)
}

/**
 * Whether a path names a file inside a folder, on every system: relative, `/` between its parts, none of them empty,
 * `.` or `..`, no drive, no backslash, no control character.
 */
export function isInnerPath(path: string): boolean {
  if (CONTROL.test(path) || path.includes('\\') || /^[A-Za-z]:/.test(path) || path.length > 4096) return false
  return path.split('/').every((part) => part !== '' && part !== '.' && part !== '..')
}

/** @throws InvalidArgumentError unless `id` is a repository's id. */
export function checkRepositoryId(id: string): void {
  if (!isRepositoryId(id)) {
    throw new InvalidArgumentError(
      'hub',
      `not a repository: got ${JSON.stringify(id)}, expected an existing folder or an id such as owner/name`,
    )
  }
}

/** @throws InvalidArgumentError unless `revision` can be a branch, a tag or a commit. */
export function checkRevision(revision: string): void {
  if (!isInnerPath(revision) || /[ ~^:?*[]|\.\.|@\{|\.lock$/.test(revision) || revision.length > 255) {
    throw new InvalidArgumentError(
      'hub',
      `not a revision: got ${JSON.stringify(revision)}, expected a branch, a tag or a commit`,
    )
  }
}

/** @throws InvalidArgumentError unless `path` names a file inside the repository `name`. */
export function checkPath(path: string, name: string): void {
  if (!isInnerPath(path)) {
    throw new InvalidArgumentError(
      'hub',
      `not a path inside ${name}: got ${JSON.stringify(path)}, expected a relative path with / between its parts`,
    )
  }
}
