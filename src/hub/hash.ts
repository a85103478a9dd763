/** A hash that takes its bytes piece by piece. */
export interface Hash {
  update(bytes: Uint8Array): void
  /** The result in lower-case hexadecimal digits; the hash takes nothing more afterwards. */
  digest(): string
}

/** Starts a hash: each platform has its own. */
export type CreateHash = (algorithm: 'sha256' | 'sha1') => Hash

/**
 * Starts the hash whose result names a blob: SHA-256 of the bytes where the name has 64 digits, else git's SHA-1, which
 * begins with `blob`, the size and a zero byte.
 *
 * @param name - The blob's name: 40 or 64 hexadecimal digits.
 * @param size - The size of the whole blob in bytes.
 */
export function blobHash(createHash: CreateHash, name: string, size: number): Hash {
  if (name.length === 64) return createHash('sha256')
  const hash = createHash('sha1')
  hash.update(new TextEncoder().encode(`blob ${size}\0`))
  return hash
}
