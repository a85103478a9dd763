import { InvalidArgumentError } from '../core/errors'
import type { Repository } from '../core/file'
import type { Cache } from './cache'
import { HubClient } from './client'
import { HubRepository, type TransferOptions } from './repository'
import type { Fetch } from './transport'

/** The public Hub. */
const HUB_ENDPOINT = 'https://huggingface.co'

/** How a repository is found and fetched. */
export interface RepositoryOptions extends TransferOptions {
  /** Branch, tag or commit; absent: `main`. */
  readonly revision?: string
  /** An access token of the Hub, sent to the endpoint alone; `false`: none, also not the environment's. */
  readonly token?: string | false
  /** Address of the Hub or of a mirror; absent: `https://huggingface.co`. */
  readonly endpoint?: string
  /** Makes the requests; absent: the platform's own. */
  readonly fetch?: Fetch
  /** Never asks the Hub: what is not cached is an error. */
  readonly localFilesOnly?: boolean
  /** Asks the Hub whether the branch has moved, although it is cached. */
  readonly update?: boolean
  /** How many files are fetched at once, from 1 to 64; absent: 4. */
  readonly concurrency?: number
  /** How long no byte may arrive before an attempt counts as failed, in milliseconds; absent: 30,000. */
  readonly timeout?: number
  /** Attempts after the first that fails without getting on; absent: 5. */
  readonly retries?: number
  /** The wait before the first of them, in milliseconds, doubled each time; absent: 500. */
  readonly retryDelay?: number
  /** Whether xet's protocol is used for files that are stored there; absent: `true`. */
  readonly xet?: boolean
}

/** What the platform adds. */
export interface RepositoryPlaces {
  readonly cache: Cache
  /** The local folder of that name, or `undefined` when there is none; absent: the platform has no folders. */
  openFolder?(path: string): Promise<Repository | undefined>
}

/**
 * A local folder if there is one of that name, else the repository of the Hub. Nothing is fetched yet.
 *
 * @param idOrFolder - Such as `./my-model` or `stable-diffusion-v1-5/stable-diffusion-v1-5`.
 * @throws InvalidArgumentError when it is neither an existing folder nor of the form of a repository's id.
 */
export async function resolveRepository(
  idOrFolder: string,
  places: RepositoryPlaces,
  options: RepositoryOptions = {},
): Promise<Repository | HubRepository> {
  const folder = await places.openFolder?.(idOrFolder)
  return folder ?? hubRepository(idOrFolder, places.cache, options)
}

/**
 * A repository of the Hub. Nothing is fetched yet.
 *
 * @throws InvalidArgumentError when an argument is not what it should be.
 */
export function hubRepository(id: string, cache: Cache, options: RepositoryOptions = {}): HubRepository {
  const { revision = 'main', token, localFilesOnly = false, update = false, onProgress, signal } = options
  const concurrency = whole('concurrency', options.concurrency ?? 4, 1, 64)
  const client = new HubClient({
    endpoint: checkedEndpoint(options.endpoint ?? HUB_ENDPOINT),
    token: token === false || token === '' ? undefined : token,
    fetch: options.fetch ?? globalThis.fetch,
    timeout: whole('timeout', options.timeout ?? 30_000, 1, 2 ** 31 - 1),
    retries: whole('retries', options.retries ?? 5, 0, 100),
    retryDelay: whole('retryDelay', options.retryDelay ?? 500, 0, 60_000),
    xet: options.xet ?? true,
  })
  return new HubRepository({ id, revision, cache, client, localFilesOnly, update, concurrency, onProgress, signal })
}

function checkedEndpoint(endpoint: string): string {
  if (!URL.canParse(endpoint) || !/^https?:\/\//.test(endpoint)) {
    throw new InvalidArgumentError(
      'hub',
      `not an endpoint: got ${JSON.stringify(endpoint)}, expected an http(s) address`,
    )
  }
  return endpoint.replace(/\/+$/, '')
}

function whole(name: string, value: number, min: number, max: number): number {
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new InvalidArgumentError(
      'hub',
      `${name} is out of range: got ${value}, expected an integer from ${min} to ${max}`,
    )
  }
  return value
}
