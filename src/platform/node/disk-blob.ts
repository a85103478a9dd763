import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import type { BlobWriter, HubFile } from '../../hub/cache'
import { ChecksumMismatchError } from '../../hub/errors'
import { type FileHash, fileHash } from './file-hash'

/** How many bytes go to the disk in one call. */
const BATCH = 2 ** 20
/** How many bytes may wait for the disk while the next ones arrive. */
const MAX_WAITING = 8 * 2 ** 20

/** The bytes of one blob on their way to the disk, hashed as they come. */
export class DiskBlob implements BlobWriter {
  readonly #file: HubFile
  readonly #name: string
  readonly #handle: FileHandle
  #hash: FileHash
  #offset = 0
  #batch: Uint8Array[] = []
  #batchSize = 0
  #waiting = 0
  #written: Promise<void> = Promise.resolve()

  private constructor(handle: FileHandle, file: HubFile, name: string) {
    this.#handle = handle
    this.#file = file
    this.#name = name
    this.#hash = this.#newHash()
  }

  /**
   * Opens `path` with what an earlier attempt left there.
   *
   * @param name - What errors call the file.
   */
  static async open(path: string, file: HubFile, name: string): Promise<DiskBlob> {
    const blob = new DiskBlob(await open(path, constants.O_RDWR | constants.O_CREAT), file, name)
    try {
      await blob.#resume()
      return blob
    } catch (error) {
      await blob.close()
      throw error
    }
  }

  get offset(): number {
    return this.#offset
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (this.#offset + bytes.byteLength > this.#file.size) {
      throw this.#mismatch(`more than ${this.#file.size} bytes`, `${this.#file.size} bytes`)
    }
    this.#offset += bytes.byteLength
    this.#batch.push(bytes)
    this.#batchSize += bytes.byteLength
    if (this.#batchSize >= BATCH) this.#flush()
    if (this.#waiting > MAX_WAITING) await this.#written
  }

  async restart(): Promise<void> {
    this.#batch = []
    this.#batchSize = 0
    await this.#written
    await this.#handle.truncate(0)
    await this.#hash.close()
    this.#hash = this.#newHash()
    this.#offset = 0
  }

  /** Writes what is left and compares size and hash. */
  async finish(): Promise<void> {
    this.#flush()
    await this.#written
    const { size, hash } = this.#file
    const onDisk = (await this.#handle.stat()).size
    if (onDisk !== size) throw this.#mismatch(`${onDisk} bytes`, `${size} bytes`)
    const digest = await this.#hash.digest()
    if (digest !== hash) throw this.#mismatch(`hash ${digest}`, hash)
  }

  /** Ends the writing; what was accepted is on the disk as far as it could be written. */
  async close(): Promise<void> {
    try {
      this.#flush()
      await this.#written
    } finally {
      await this.#hash.close()
      await this.#handle.close()
    }
  }

  async #resume(): Promise<void> {
    const { size } = await this.#handle.stat()
    if (size > this.#file.size) return this.#handle.truncate(0)
    this.#offset = size
    this.#hash.advance(size)
  }

  /**
   * Lets the batch be written after those before it: in order, so that what is there is always a beginning of the file.
   */
  #flush(): void {
    const batch = this.#batch
    const size = this.#batchSize
    const end = this.#offset
    if (size === 0) return
    this.#batch = []
    this.#batchSize = 0
    this.#waiting += size
    this.#written = this.#written.then(async () => {
      await this.#writeAll(batch, end - size)
      this.#waiting -= size
      this.#hash.advance(end)
    })
    // A failure shows when it is awaited: after it, bytes only wait, so that is soon.
    this.#written.catch(() => {})
  }

  async #writeAll(batch: readonly Uint8Array[], start: number): Promise<void> {
    let left = batch
    let position = start
    while (left.length > 0) {
      let { bytesWritten } = await this.#handle.writev(left, position)
      position += bytesWritten
      // A disk that is about to be full takes a part.
      left = left.flatMap((bytes) => {
        const done = Math.min(bytesWritten, bytes.byteLength)
        bytesWritten -= done
        return done < bytes.byteLength ? [bytes.subarray(done)] : []
      })
    }
  }

  #newHash(): FileHash {
    return fileHash(this.#handle, this.#file.hash, this.#file.size)
  }

  #mismatch(got: string, expected: string): ChecksumMismatchError {
    return new ChecksumMismatchError(this.#name, got, expected)
  }
}
