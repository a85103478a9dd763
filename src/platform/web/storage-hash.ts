import { createSHA1, createSHA256 } from 'hash-wasm'
import { blobHash, type Hash } from '../../hub/hash'

/**
 * Starts the hash that names a blob. `crypto.subtle` takes bytes only all at once, so this one is WebAssembly.
 *
 * @param name - The blob's name: 40 or 64 hexadecimal digits.
 * @param size - The size of the whole blob in bytes.
 */
export async function startHash(name: string, size: number): Promise<Hash> {
  const hasher = await (name.length === 64 ? createSHA256() : createSHA1())
  const hash = {
    update: (bytes: Uint8Array) => void hasher.update(bytes),
    digest: () => hasher.digest(),
  }
  return blobHash(() => hash, name, size)
}
