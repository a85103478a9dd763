import { createSHA1, createSHA256 } from 'hash-wasm'
import { blobHash, blobNaming, type Hash } from '../../hub/hash'

/**
 * Starts the hash that names a blob. `crypto.subtle` takes bytes only all at once, so this one is WebAssembly.
 *
 * @param name - The blob's name: 40 or 64 hexadecimal digits.
 * @param size - The size of the whole blob in bytes.
 */
export async function startHash(name: string, size: number): Promise<Hash> {
  const naming = blobNaming(name, size)
  const hasher = await (naming.algorithm === 'sha256' ? createSHA256() : createSHA1())
  const hash = {
    update: (bytes: Uint8Array) => void hasher.update(bytes),
    digest: () => hasher.digest(),
  }
  return blobHash(() => hash, naming)
}
