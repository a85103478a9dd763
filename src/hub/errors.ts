import { LatentkitError } from '../core/errors'

/** How to hand over an access token: the end of several messages. */
const TOKEN_HINT =
  'make a token at https://huggingface.co/settings/tokens and pass it as the option `token` or in the environment variable HF_TOKEN'

/** The repository does not exist, or it is private and no token that may read it was sent. */
export class RepositoryNotFoundError extends LatentkitError {
  /** @param repository - The repository's id. */
  constructor(repository: string, options?: ErrorOptions) {
    super(
      'ERR_HUB_REPOSITORY_NOT_FOUND',
      'hub',
      `there is no repository ${repository} that can be read: check the spelling; if it is private, ${TOKEN_HINT}`,
      options,
    )
  }
}

/** The repository exists, but has no such branch, tag or commit. */
export class RevisionNotFoundError extends LatentkitError {
  constructor(repository: string, revision: string, options?: ErrorOptions) {
    super(
      'ERR_HUB_REVISION_NOT_FOUND',
      'hub',
      `${repository} has no revision ${revision}: expected one of its branches, tags or commits (leave \`revision\` out for main)`,
      options,
    )
  }
}

/** The repository has no such file at that revision. */
export class FileNotFoundError extends LatentkitError {
  constructor(repository: string, revision: string, path: string, options?: ErrorOptions) {
    super(
      'ERR_HUB_FILE_NOT_FOUND',
      'hub',
      `${repository} has no file ${path} at ${revision}: check the path, or choose another \`revision\``,
      options,
    )
  }
}

/** The repository is open only to those who asked for access. */
export class GatedRepositoryError extends LatentkitError {
  /** @param page - The repository's page, where access is asked for. */
  constructor(repository: string, page: string, options?: ErrorOptions) {
    super('ERR_HUB_GATED', 'hub', `${repository} is gated: ask for access at ${page}, then ${TOKEN_HINT}`, options)
  }
}

/** The Hub refused the token, or the token may not read this repository. */
export class UnauthorisedError extends LatentkitError {
  constructor(repository: string, reason: string, options?: ErrorOptions) {
    super(
      'ERR_HUB_UNAUTHORISED',
      'hub',
      `the Hub refused access to ${repository}: ${reason}; ${TOKEN_HINT} (\`token: false\` sends none)`,
      options,
    )
  }
}

/** Files are needed that the cache does not hold, and the Hub must not be asked or cannot be reached. */
export class OfflineError extends LatentkitError {
  /** The files that are not in the cache; empty when nothing of the revision is there, so that no list is known. */
  readonly missing: readonly string[]

  /**
   * @param why - Why the Hub was not asked.
   * @param missing - The files that are not in the cache.
   */
  constructor(repository: string, revision: string, why: string, missing: readonly string[], options?: ErrorOptions) {
    const what = missing.length === 0 ? 'nothing of it is in the cache' : `not in the cache: ${missing.join(', ')}`
    super(
      'ERR_HUB_OFFLINE',
      'hub',
      `${repository} at ${revision} is needed, but ${why}; ${what}. Load it once with a connection; with Node, ` +
        '`latentkit download` does that, and `cacheDir` may name a folder that holds it',
      options,
    )
    this.missing = missing
  }
}

/** The Hub answers, but not with the file: the line breaks, hangs or the server fails, again and again. */
export class HubConnectionError extends LatentkitError {
  constructor(what: string, attempts: number, reason: string, options?: ErrorOptions) {
    super(
      'ERR_HUB_CONNECTION',
      'hub',
      `${what} failed ${attempts} times, the last time with: ${reason}. Try again later: what has arrived is kept`,
      options,
    )
  }
}

/** The disk, or what the browser grants the page, cannot hold the file. */
export class DiskFullError extends LatentkitError {
  /**
   * @param needed - Bytes still to be written.
   * @param free - Bytes that are free, when the system tells.
   * @param options - `advice`: how to get room in this place.
   */
  constructor(
    what: string,
    place: string,
    needed: number,
    free?: number,
    options: ErrorOptions & { readonly advice?: string } = {},
  ) {
    const { advice = 'Free some space (`latentkit cache rm`), or name another `cacheDir`' } = options
    const got = free === undefined ? 'a full disk' : `${free} bytes free`
    const missing = free !== undefined && free < needed ? `, ${needed - free} more` : ''
    super(
      'ERR_HUB_DISK_FULL',
      'hub',
      `no room for ${what} in ${place}: got ${got}, expected ${needed}${missing}. ${advice}`,
      options,
    )
  }
}

/** The bytes that arrived, or that lie in the cache, are not those of the file. They were thrown away. */
export class ChecksumMismatchError extends LatentkitError {
  constructor(file: string, got: string, expected: string, options?: ErrorOptions) {
    super(
      'ERR_HUB_CHECKSUM',
      'hub',
      `${file} arrived damaged: got ${got}, expected ${expected}. Nothing of it was kept: try again; ` +
        'if it stays so, a proxy or mirror (`endpoint`) between here and the Hub alters files',
      options,
    )
  }
}

/** While a file was being fetched, or before its rest was, the server replaced it by another. */
export class FileChangedError extends LatentkitError {
  constructor(file: string, got: string, expected: string, options?: ErrorOptions) {
    super(
      'ERR_HUB_CHANGED',
      'hub',
      `${file} changed on the server since it was listed: got ${got}, expected ${expected}. ` +
        'The part that had arrived was thrown away: load the repository again',
      options,
    )
  }
}

/** The server named a file, hash or address that would reach outside the cache, or spoke another protocol. */
export class UntrustedAnswerError extends LatentkitError {
  constructor(repository: string, what: string, options?: ErrorOptions) {
    super(
      'ERR_HUB_UNTRUSTED',
      'hub',
      `the answer for ${repository} was refused: ${what}. Do not use this repository`,
      options,
    )
  }
}

/** Components of the repository cannot be used: each with the reason. */
export class UnusableRepositoryError extends LatentkitError {
  constructor(repository: string, problems: readonly { readonly component: string; readonly reason: string }[]) {
    const list = problems.map(({ component, reason }) => `${component}: ${reason}`).join('; ')
    super('ERR_HUB_UNUSABLE', 'hub', `${repository} cannot be loaded: ${list}`)
  }
}
