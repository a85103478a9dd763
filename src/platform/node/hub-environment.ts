import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'

/** What the environment says about the Hub. */
export interface HubEnvironment {
  /** The cache's folder, absolute. */
  readonly cacheDir: string
  readonly token?: string
  readonly endpoint?: string
  /** Whether the Hub must not be asked. */
  readonly isOffline: boolean
  /** Whether xet's protocol may be used. */
  readonly xet: boolean
}

/**
 * Reads the variables of Python's `huggingface_hub`: `HF_HUB_CACHE`, `HF_HOME` (and `XDG_CACHE_HOME`) for the cache,
 * `HF_TOKEN`, else the file that `hf auth login` writes (`HF_TOKEN_PATH`), `HF_ENDPOINT`, `HF_HUB_OFFLINE`,
 * `HF_HUB_DISABLE_XET`, `HF_HUB_DISABLE_IMPLICIT_TOKEN`, and the older names that it still reads.
 *
 * @param env - The variables.
 * @param home - The user's home folder.
 */
export function hubEnvironment(
  env: Readonly<Record<string, string | undefined>> = process.env,
  home = homedir(),
): HubEnvironment {
  const folder = (path: string) => resolve(path.replace(/^~(?=$|[/\\])/, home))
  const hfHome = folder(env.HF_HOME || join(env.XDG_CACHE_HOME || join(home, '.cache'), 'huggingface'))
  const implicitToken = isTrue(env.HF_HUB_DISABLE_IMPLICIT_TOKEN)
    ? undefined
    : env.HF_TOKEN || env.HUGGING_FACE_HUB_TOKEN || readToken(folder(env.HF_TOKEN_PATH || join(hfHome, 'token')))
  return {
    cacheDir: folder(env.HF_HUB_CACHE || env.HUGGINGFACE_HUB_CACHE || join(hfHome, 'hub')),
    token: implicitToken?.trim() || undefined,
    endpoint: env.HF_ENDPOINT?.trim() || undefined,
    isOffline: isTrue(env.HF_HUB_OFFLINE) || isTrue(env.TRANSFORMERS_OFFLINE),
    xet: !isTrue(env.HF_HUB_DISABLE_XET),
  }
}

function isTrue(value: string | undefined): boolean {
  return ['1', 'ON', 'YES', 'TRUE'].includes(value?.toUpperCase() ?? '')
}

/** The token that is logged in with; a file that is not there or cannot be read is no token. */
function readToken(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
