import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import type { BlobWriter, HubFile } from '../../hub/cache'
import { ChecksumMismatchError } from '../../hub/errors'
import { blobHash, type CreateHash, type Hash } from '../../hub/hash'

/** How many bytes go to the disk in one call. */
const BATCH = 2 ** 20
/** How many bytes may wait for the disk while the next ones arrive. */
const MAX_WAITING = 8 * 2 ** 20

/** Node's hashes, as the hub takes them. */
export const nodeHash: CreateHash = (algorithm) => {
  const hash = createHash(algorithm)
  return {
    update(bytes) {
      hash.update(bytes)
    },
    digest: () => hash.digest('hex'),
  }
}

/** The bytes of one blob on their way to the disk, hashed as they come. */
export class DiskBlob implements BlobWriter {
  readonly #file: HubFile
  readonly #name: string
  readonly #handle: FileHandle
  #hash: Hash
  #offset = 0
  #batch: Uint8Array[] = []
  #batchSize = 0
  #waiting = 0
  #writing: Promise<void> = Promise.resolve()

  private constructor(handle: FileHandle, file: HubFile, name: string) {
    this.#handle = handle
    this.#file = file
    this.#name = name
    this.#hash = this.#newHash()
  }

  /**
   * Opens `path` and hashes what an earlier attempt left there.
   *
   * @param name - What errors call the file.
   */
  static async open(path: string, file: HubFile, name: string): Promise<DiskBlob> {
    const handle = await open(path, constants.O_RDWR | constants.O_CREAT)
    const blob = new DiskBlob(handle, file, name)
    try {
      await blob.#resume()
      return blob
    } catch (error) {
      await handle.close()
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
    this.#hash.update(bytes)
    this.#offset += bytes.byteLength
    this.#batch.push(bytes)
    this.#batchSize += bytes.byteLength
    if (this.#batchSize >= BATCH) this.#flush()
    if (this.#waiting > MAX_WAITING) await this.#writing
  }

  async restart(): Promise<void> {
    this.#batch = []
    this.#batchSize = 0
    await this.#writing
    await this.#handle.truncate(0)
    this.#hash = this.#newHash()
    this.#offset = 0
  }

  /** Writes what is left and compares size and hash. */
  async finish(): Promise<void> {
    this.#flush()
    await this.#writing
    const { size, hash } = this.#file
    const onDisk = (await this.#handle.stat()).size
    if (onDisk !== size) throw this.#mismatch(`${onDisk} bytes`, `${size} bytes`)
    const digest = this.#hash.digest()
    if (digest !== hash) throw this.#mismatch(`hash ${digest}`, hash)
  }

  /** Ends the writing; what was accepted is on the disk as far as it could be written. */
  async close(): Promise<void> {
    try {
      this.#flush()
      await this.#writing
    } finally {
      await this.#handle.close()
    }
  }

  async #resume(): Promise<void> {
    const { size } = await this.#handle.stat()
    if (size > this.#file.size) return this.#handle.truncate(0)
    const buffer = new Uint8Array(Math.min(BATCH, size))
    while (this.#offset < size) {
      const { bytesRead } = await this.#handle.read(buffer, 0, buffer.byteLength, this.#offset)
      if (bytesRead === 0) break
      this.#hash.update(buffer.subarray(0, bytesRead))
      this.#offset += bytesRead
    }
  }

  /**
   * Lets the batch be written after those before it: in order, so that what is there is always a beginning of the file.
   */
  #flush(): void {
    const batch = this.#batch
    const size = this.#batchSize
    const position = this.#offset - size
    if (size === 0) return
    this.#batch = []
    this.#batchSize = 0
    this.#waiting += size
    this.#writing = this.#writing.then(async () => {
      await this.#writeAll(batch, position)
      this.#waiting -= size
    })
    // A failure shows when it is awaited: after it, bytes only wait, so that is soon.
    this.#writing.catch(() => {})
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

  #newHash(): Hash {
    return blobHash(nodeHash, this.#file.hash, this.#file.size)
  }

  #mismatch(got: string, expected: string): ChecksumMismatchError {
    return new ChecksumMismatchError(this.#name, got, expected)
  }
}
