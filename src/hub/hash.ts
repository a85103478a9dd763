/** A hash that takes its bytes piece by piece. */
export interface Hash {
  update(bytes: Uint8Array): void
  /** The result in lower-case hexadecimal digits; the hash takes nothing more afterwards. */
  digest(): string
}

/** Starts a hash: each platform has its own. */
export type CreateHash = (algorithm: 'sha256' | 'sha1') => Hash

/** How the name of a blob comes from its bytes. */
export interface BlobNaming {
  readonly algorithm: 'sha256' | 'sha1'
  /** What is hashed before the bytes. */
  readonly header: Uint8Array<ArrayBuffer>
}

/**
 * How a blob was named: SHA-256 of the bytes where the name has 64 digits, else git's SHA-1, which begins with `blob`,
 * the size and a zero byte.
 *
 * @param name - The blob's name: 40 or 64 hexadecimal digits.
 * @param size - The size of the whole blob in bytes.
 */
export function blobNaming(name: string, size: number): BlobNaming {
  if (name.length === 64) return { algorithm: 'sha256', header: new Uint8Array() }
  return { algorithm: 'sha1', header: new TextEncoder().encode(`blob ${size}\0`) }
}

/** Starts the hash whose result names a blob. */
export function blobHash(createHash: CreateHash, { algorithm, header }: BlobNaming): Hash {
  const hash = createHash(algorithm)
  hash.update(header)
  return hash
}
