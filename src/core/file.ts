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
}
