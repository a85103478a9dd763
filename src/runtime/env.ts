import { RuntimeError } from '../core/errors'
import type { Repository } from '../core/file'
import type { ProgressListener } from '../core/progress'
import type { Backend } from './backend'
import type { ImagePlatform } from './image-platform'

/** How a repository is found: on a disk, in a cache, on the Hugging Face Hub. */
export interface RepositoryOptions {
  /** Branch, tag or commit; `main` by default. */
  readonly revision?: string
  /** Access token for private and gated repositories. */
  readonly token?: string
  /** Folder of the cache. */
  readonly cacheDir?: string
  /** Use what is stored and open no connection. */
  readonly localFilesOnly?: boolean
  /** Base address of the Hub. */
  readonly endpoint?: string
  /** Used instead of the global `fetch`. */
  readonly fetch?: typeof globalThis.fetch
  readonly onProgress?: ProgressListener
  readonly signal?: AbortSignal
}

/**
 * What the platform provides. The presets (`latentkit` in Node, Deno and the browser) fill it in on import; assign to it
 * to replace a part.
 */
export interface Environment {
  /** The runtime used when no `backend` is passed. */
  backend?: Backend
  /** Opens a local folder or a Hub repository by name. */
  openRepository?: (source: string, options: RepositoryOptions) => Promise<Repository>
  /** Files, network and codecs for images. */
  images?: ImagePlatform
  /** Threads for one operator on a CPU where no option says otherwise; absent: one for each physical core. */
  threads?: number
  /**
   * Where a browser finds the files of onnxruntime-web, when the bundler does not see to it: the address of the folder
   * that they lie in, or of the `.wasm` and `.mjs` file each. Set it before anything is loaded.
   */
  wasmPaths?: string | { readonly wasm?: string | URL; readonly mjs?: string | URL }
  /** What relative addresses start from in a browser; absent: the address of the page, in a worker that of its script. */
  baseUrl?: string
}

/** The one place of global state: what the platform provides. */
export const env: Environment = {}

/**
 * The backend given, or the platform's.
 *
 * @throws RuntimeError when there is neither.
 */
export function requireBackend(backend = env.backend): Backend {
  if (!backend)
    throw new RuntimeError('runtime', 'no backend: got none from the platform, expected the option `backend`')
  return backend
}

/**
 * The repository given, or the one of that name.
 *
 * @throws RuntimeError when the platform can't open repositories by name.
 */
export async function requireRepository(source: string | Repository, options: RepositoryOptions): Promise<Repository> {
  if (typeof source !== 'string') return source
  if (!env.openRepository) {
    throw new RuntimeError('runtime', `${source} can't be opened by name on this platform: expected a Repository`)
  }
  return env.openRepository(source, options)
}
