import { createHash } from 'node:crypto'
import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fileHash } from '../../src/platform/node/file-hash'
import { gitSha1, sha256 } from './server'
import { noise } from './workspace'

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'latentkit-hash-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const MB = 2 ** 20

describe.each([
  ['at the end', 3 * MB],
  ['in a thread', 9 * MB + 12345],
])('a file hashed %s', (_, size) => {
  const bytes = noise(size)

  it.each([
    ['SHA-256', sha256(bytes)],
    ["git's SHA-1", gitSha1(bytes)],
  ])('while it grows has its %s', async (name, expected) => {
    const handle = await open(join(folder, `${name} ${size}`), 'w+')
    const hash = fileHash(handle, expected, size)
    for (let offset = 0; offset < size; offset += MB) {
      await handle.write(bytes, offset, Math.min(MB, size - offset), offset)
      hash.advance(Math.min(size, offset + MB))
    }
    expect(await hash.digest()).toBe(expected)
    await hash.close()
    await handle.close()
  })

  it('beside others has its own', async () => {
    const files = await Promise.all(
      [1, 2, 3].map(async (seed) => {
        const own = noise(size, seed)
        const handle = await open(join(folder, `${seed} ${size}`), 'w+')
        await handle.write(own)
        const hash = fileHash(handle, sha256(own), size)
        hash.advance(size)
        return { own, handle, hash }
      }),
    )
    for (const { own, handle, hash } of files.toReversed()) {
      expect(await hash.digest()).toBe(createHash('sha256').update(own).digest('hex'))
      await hash.close()
      await handle.close()
    }
  })

  it('and given up in between leaves the next one alone', async () => {
    const handle = await open(join(folder, `given up ${size}`), 'w+')
    await handle.write(bytes)
    const first = fileHash(handle, sha256(bytes), size)
    first.advance(size)
    await first.close()
    const second = fileHash(handle, sha256(bytes), size)
    second.advance(size)
    expect(await second.digest()).toBe(sha256(bytes))
    await second.close()
    await handle.close()
  })
})

it('a file that becomes shorter under the thread is an error, and the next one is hashed', async () => {
  const bytes = noise(5 * MB)
  const handle = await open(join(folder, 'shorter'), 'w+')
  await handle.write(bytes, 0, MB)
  const hash = fileHash(handle, sha256(bytes), bytes.length)
  hash.advance(bytes.length)
  await expect(hash.digest()).rejects.toThrow('became shorter')
  await hash.close()
  await handle.write(bytes, 0, bytes.length, 0)
  const again = fileHash(handle, sha256(bytes), bytes.length)
  again.advance(bytes.length)
  expect(await again.digest()).toBe(sha256(bytes))
  await again.close()
  await handle.close()
})
