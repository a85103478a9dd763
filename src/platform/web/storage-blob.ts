import type { BlobWriter, HubFile } from '../../hub/cache'
import { ChecksumMismatchError } from '../../hub/errors'
import type { Hash } from '../../hub/hash'
import type { Store } from './storage'
import { startHash } from './storage-hash'
import { PartWriter, readParts } from './storage-parts'

/** The bytes of one blob on their way to the storage, hashed as they come. */
export class StoredBlob implements BlobWriter {
  private constructor(
    private readonly parts: PartWriter,
    private readonly file: HubFile,
    private readonly name: string,
    private hash: Hash,
  ) {}

  /**
   * Opens the folder of a blob and hashes what an earlier attempt left there.
   *
   * @param name - What errors call the file.
   */
  static async open(store: Store, folder: string, file: HubFile, name: string): Promise<StoredBlob> {
    const parts = await PartWriter.open(store, folder)
    if (parts.offset > file.size) await parts.restart()
    const hash = await startHash(file.hash, file.size)
    for await (const bytes of readParts(store, folder)) hash.update(bytes)
    return new StoredBlob(parts, file, name, hash)
  }

  get offset(): number {
    return this.parts.offset
  }

  /** How many bytes are in the storage. */
  get stored(): number {
    return this.parts.stored
  }

  async write(bytes: Uint8Array): Promise<void> {
    const { size } = this.file
    if (this.offset + bytes.byteLength > size) throw this.mismatch(`more than ${size} bytes`, `${size} bytes`)
    this.hash.update(bytes)
    await this.parts.write(bytes)
  }

  async restart(): Promise<void> {
    await this.parts.restart()
    this.hash = await startHash(this.file.hash, this.file.size)
  }

  /** Writes what is left and compares size and hash; only then is the blob complete. */
  async finish(): Promise<void> {
    const { size, hash } = this.file
    if (this.offset !== size) throw this.mismatch(`${this.offset} bytes`, `${size} bytes`)
    const digest = this.hash.digest()
    if (digest !== hash) throw this.mismatch(`hash ${digest}`, hash)
    await this.parts.complete('')
  }

  /** Stores what was accepted, for the next attempt. */
  async keep(): Promise<void> {
    await this.parts.flush()
  }

  private mismatch(got: string, expected: string): ChecksumMismatchError {
    return new ChecksumMismatchError(this.name, got, expected)
  }
}
