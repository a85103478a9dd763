import { createHash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'
import { type BlobNaming, blobHash, blobNaming, type CreateHash } from '../../hub/hash'
import { HashThread } from './hash-thread'

/** From this size on, hashing in another thread saves more than asking it takes. */
const THREAD_SIZE = 4 * 2 ** 20
/** How many bytes are read at once. */
const PIECE = 2 ** 20

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

/** Hashes a file while it grows: what counts is what lies on the disk. */
export interface FileHash {
  /** So many bytes are there, and will not change any more. */
  advance(size: number): void
  /** The hash of all that was announced, in hexadecimal digits. */
  digest(): Promise<string>
  /** Forgets the file; afterwards its handle may be closed. */
  close(): Promise<void>
}

/**
 * Starts the hash that names a blob: of a large one in a thread that follows the writing, so that both overlap; of a
 * small one at the end.
 */
export function fileHash(handle: FileHandle, name: string, size: number): FileHash {
  const naming = blobNaming(name, size)
  return size >= THREAD_SIZE ? HashThread.get().start(handle, naming) : finalHash(handle, naming)
}

function finalHash(handle: FileHandle, naming: BlobNaming): FileHash {
  let end = 0
  return {
    advance(size) {
      end = size
    },
    async digest() {
      const hash = blobHash(nodeHash, naming)
      const piece = new Uint8Array(Math.min(PIECE, end))
      for (let offset = 0; offset < end; ) {
        const { bytesRead } = await handle.read(piece, 0, Math.min(PIECE, end - offset), offset)
        if (bytesRead === 0) break
        hash.update(piece.subarray(0, bytesRead))
        offset += bytesRead
      }
      return hash.digest()
    },
    close: async () => {},
  }
}
