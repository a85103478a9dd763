import {
  FileChangedError,
  FileNotFoundError,
  GatedRepositoryError,
  RepositoryNotFoundError,
  RevisionNotFoundError,
  UnauthorisedError,
  UntrustedAnswerError,
} from './errors'
import { parseRetryAfter, TransientError } from './retry'

/** What a request was about: errors say so. */
export interface RequestContext {
  readonly repository: string
  readonly revision: string
  readonly path?: string
}

/** Statuses that another attempt may not meet. */
function isTransient(status: number): boolean {
  return status === 408 || status === 425 || status === 429 || status >= 500
}

/**
 * The error for an answer that is not a success. The Hub names the kind in `X-Error-Code`; without it, it answers 401
 * to a request without a token for a repository that does not exist, so as not to tell whether a private one does.
 *
 * @param hasToken - Whether a token was sent.
 */
export function refusal(response: Response, endpoint: string, context: RequestContext, hasToken: boolean): Error {
  const { repository, revision, path } = context
  const { status, headers } = response
  const code = headers.get('x-error-code')
  const message = headers.get('x-error-message')
  const reason = `status ${status}${message ? `, ${JSON.stringify(message)}` : ''}`
  const cause = new Error(`${reason} for ${response.url || repository}`)
  if (isTransient(status)) {
    return new TransientError(reason, { cause, retryAfter: parseRetryAfter(headers.get('retry-after')) })
  }
  if (code === 'GatedRepo') return new GatedRepositoryError(repository, `${endpoint}/${repository}`, { cause })
  if (code === 'RevisionNotFound') return new RevisionNotFoundError(repository, revision, { cause })
  if (code === 'EntryNotFound') return new FileNotFoundError(repository, revision, path ?? '', { cause })
  if (code === 'RepoNotFound') return new RepositoryNotFoundError(repository, { cause })
  if (status === 403 || (status === 401 && hasToken)) return new UnauthorisedError(repository, reason, { cause })
  if (status === 401) return new RepositoryNotFoundError(repository, { cause })
  if (status === 404) {
    return path === undefined
      ? new RepositoryNotFoundError(repository, { cause })
      : new FileNotFoundError(repository, revision, path, { cause })
  }
  if (status === 416) {
    return new FileChangedError(
      path ?? repository,
      'a file too short for the range asked',
      'the size it was listed with',
      {
        cause,
      },
    )
  }
  return new UntrustedAnswerError(repository, `it was ${reason}`, { cause })
}
