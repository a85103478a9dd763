import { FormatError, InvalidArgumentError } from './errors'
import type { ProgressListener } from './progress'

/**
 * Random access to the bytes of one file, wherever they lie: a disk, a browser's storage, memory. The formats read
 * through it, so that no checkpoint is ever read whole to look at its header.
 */
export interface FileSource {
  /** What errors call the file, such as `unet/diffusion_pytorch_model.safetensors`. */
  readonly name: string
  /** Length in bytes. */
  readonly size: number
  /** Absolute path, when the bytes are a file of the operating system: a backend may then map it instead of reading it. */
  readonly path?: string
  /** The bytes from `offset` on, exactly `length` of them; rejects when the file is shorter. */
  read(offset: number, length: number): Promise<Uint8Array>
}

/**
 * A folder of model files, wherever it lies: a local folder, a Hub repository at one revision.
 * Paths are relative, with `/` between the parts.
 */
export interface Repository {
  /** What errors call it: the folder's path or the repository's id. */
  readonly name: string
  /** The file at `path`, or `undefined` when there is none. */
  open(path: string): Promise<FileSource | undefined>
  /** Fetches what a pipeline needs before it is opened, several files at once; absent where nothing is far away. */
  prefetchPipeline?(options: PrefetchOptions & { readonly components?: readonly string[] }): Promise<unknown>
  /** Fetches what one model needs before it is opened. */
  prefetchModel?(options: PrefetchOptions): Promise<unknown>
}

/** What of a repository is wanted. */
export interface PrefetchOptions {
  /** Folder of the pipeline or model. */
  readonly subfolder?: string
  /** Variant of the weights, such as `fp16`. */
  readonly variant?: string
  readonly onProgress?: ProgressListener
  readonly signal?: AbortSignal
}

/**
 * Throws unless bytes `offset` to `offset + length` lie inside the file: what every {@link FileSource} checks before it
 * allocates anything.
 *
 * @throws InvalidArgumentError when the range is not made of non-negative safe integers.
 * @throws FormatError when the file ends before the range does.
 */
export function expectRange(source: FileSource, offset: number, length: number): void {
  if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(length) || offset < 0 || length < 0) {
    throw new InvalidArgumentError(
      'file',
      `${source.name}: no such range: got offset ${offset} and length ${length}, expected non-negative integers`,
    )
  }
  if (offset + length > source.size) {
    throw new FormatError(
      'file',
      `${source.name} is too short: got ${source.size} bytes, expected at least ${offset + length}`,
    )
  }
}

/** A file whose bytes are in memory. What it reads are views of `bytes`, not copies: treat them as read-only. */
export function bytesSource(bytes: Uint8Array, name: string): FileSource {
  const source: FileSource = {
    name,
    size: bytes.byteLength,
    async read(offset, length) {
      expectRange(source, offset, length)
      return bytes.subarray(offset, offset + length)
    },
  }
  return source
}
