// `createHash` of `node:crypto`, for running a contract suite in a page.
import { createSHA1, createSHA256 } from 'hash-wasm'

const hashers = { sha1: await createSHA1(), sha256: await createSHA256() }

export function createHash(algorithm: 'sha1' | 'sha256') {
  const hasher = hashers[algorithm].init()
  const hash = {
    update(data: string | Uint8Array) {
      hasher.update(data)
      return hash
    },
    digest: () => hasher.digest(),
  }
  return hash
}
