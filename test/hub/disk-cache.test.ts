import { lstatSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, readlink, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DiskCache, type Symlink } from '../../src/platform/node/disk-cache'
import { cacheContract } from '../contracts/cache'
import { gitSha1, readFolder, sha256 } from './server'
import { contents, expectSame, noise, tree, useWorkspace } from './workspace'

let root = ''
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'latentkit-cache-'))
})
afterAll(() => rm(root, { recursive: true, force: true }))

const noLinks: Symlink = async () => {
  throw Object.assign(new Error('EPERM: operation not permitted, symlink'), { code: 'EPERM' })
}

cacheContract('a folder', { keepsHashes: true, create: async (place) => new DiskCache(join(root, place)) })
cacheContract('a folder without symbolic links', {
  keepsHashes: false,
  create: async (place) => new DiskCache(join(root, 'linkless', place), { symlink: noLinks }),
})

const ID = 'stable-diffusion-v1-5/tiny'
const COMMIT = '0123456789abcdef0123456789abcdef01234567'

/** Lays a repository into a cache by hand, in the way that huggingface_hub's documentation describes. */
async function layOut(folder: string, files: Readonly<Record<string, Uint8Array>>): Promise<void> {
  const repository = join(folder, 'models--stable-diffusion-v1-5--tiny')
  const write = async (path: string, bytes: Uint8Array | string) => {
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, bytes)
  }
  for (const [path, bytes] of Object.entries(files)) {
    const hash = bytes.length >= 10_000 ? sha256(bytes) : gitSha1(bytes)
    const pointer = join(repository, 'snapshots', COMMIT, path)
    await write(join(repository, 'blobs', hash), bytes)
    await mkdir(dirname(pointer), { recursive: true })
    await symlink(relative(dirname(pointer), join(repository, 'blobs', hash)), pointer)
    await write(join(folder, '.locks/models--stable-diffusion-v1-5--tiny', `${hash}.lock`), '')
  }
  await write(join(repository, 'refs/main'), COMMIT)
  await write(join(folder, 'CACHEDIR.TAG'), 'Signature: 8a477f597d28d172789f06886806bc55')
  await write(join(folder, 'version.txt'), '1')
  await mkdir(join(folder, 'datasets--someone--pictures/blobs'), { recursive: true })
}

describe('a cache that Python made', () => {
  const hub = useWorkspace()
  const files = readFolder('test/fixtures/models/tiny-sd1')

  it.each(['main', COMMIT])('is used as it is, without a connection, at %s', async (revision) => {
    await layOut(hub.folder, files)
    const before = await tree(hub.folder)
    const repository = hub.open(ID, { revision })
    const plan = await repository.prefetchPipeline()
    expect([...plan.configs, ...plan.weights].sort()).toEqual(Object.keys(files).sort())
    for (const path of Object.keys(files)) expectSame(await contents(repository.open(path)), files[path])
    expect(await repository.open('tokenizer/tokenizer.json')).toBeUndefined()
    expect(hub.server.connections).toBe(0)
    expect(await tree(hub.folder)).toEqual(before)
  })

  it('in which it was broken off: resumed, in the same files', async () => {
    const path = 'unet/diffusion_pytorch_model.safetensors'
    const { [path]: unet, ...rest } = files
    await layOut(hub.folder, rest)
    const commit = hub.server.add(ID, files)
    const blobs = join(hub.folder, 'models--stable-diffusion-v1-5--tiny/blobs')
    await writeFile(join(blobs, `${sha256(unet)}.incomplete`), unet.subarray(0, 1_000_000))
    const locks = join(hub.folder, '.locks/models--stable-diffusion-v1-5--tiny')
    await writeFile(join(locks, `${sha256(unet)}.lock`), '')
    await hub.open(ID).prefetchPipeline()
    expect(hub.server.bytesSent()).toBe(unet.length - 1_000_000)
    expect(await hub.cache.commitOf(ID, 'main')).toBe(commit)
    expectSame(await contents(hub.cache.open(ID, commit, path)), unet)
    expect(await tree(locks)).toContain(`${sha256(unet)}.lock`)
  })

  it('is listed and verified beside what else lies there', async () => {
    await layOut(hub.folder, files)
    const [listed, ...others] = await hub.cache.list()
    expect(others).toEqual([])
    expect(listed.repository).toBe(ID)
    expect(listed.revisions).toMatchObject([{ commit: COMMIT, refs: ['main'], files: Object.keys(files).sort() }])
    const size = Object.values(files).reduce((sum, bytes) => sum + bytes.length, 0)
    expect(listed).toMatchObject({ size, incomplete: 0 })
    for await (const file of hub.cache.verify()) expect(file.status).toBe('ok')
  })
})

describe('verifying', () => {
  const hub = useWorkspace()
  const weights = noise(30_000)

  it('finds what is damaged or missing, and removes it if asked to, so that it is fetched again', async () => {
    hub.server.add(ID, { 'a.safetensors': weights, 'b.json': '{}', 'c.json': '[1]' })
    const paths = ['a.safetensors', 'b.json', 'c.json']
    await hub.open(ID).prefetch(paths)
    const blobs = join(hub.folder, 'models--stable-diffusion-v1-5--tiny/blobs')
    const damaged = Uint8Array.from(weights)
    damaged[7] ^= 1
    await writeFile(join(blobs, sha256(weights)), damaged)
    await rm(join(blobs, gitSha1(new TextEncoder().encode('[1]'))))
    const statuses = async (removeDamaged: boolean) => {
      const found: Record<string, string> = {}
      for await (const file of hub.cache.verify(ID, { removeDamaged })) {
        for (const path of file.paths) found[path.slice(41)] = file.status
      }
      return found
    }
    const expected = { 'a.safetensors': 'damaged', 'b.json': 'ok', 'c.json': 'missing' }
    expect(await statuses(false)).toEqual(expected)
    expect(await statuses(true)).toEqual(expected)
    expect(await statuses(false)).toEqual({ 'b.json': 'ok' })
    await hub.open(ID).prefetch(paths)
    expect(await statuses(false)).toEqual({ 'a.safetensors': 'ok', 'b.json': 'ok', 'c.json': 'ok' })
  })

  it('can be stopped', async () => {
    hub.server.add(ID, { 'a.safetensors': weights })
    await hub.open(ID).prefetch(['a.safetensors'])
    const signal = AbortSignal.abort()
    await expect(async () => {
      for await (const _ of hub.cache.verify(ID, { signal }));
    }).rejects.toThrow(/abort/i)
  })
})

describe('a file system without symbolic links', () => {
  const hub = useWorkspace()

  it('has the files in the snapshots, as Python has them there, and is used offline', async () => {
    const files = readFolder('test/fixtures/models/tiny-sd1')
    const commit = hub.server.add(ID, files)
    hub.cache = new DiskCache(hub.folder, { symlink: noLinks })
    const plan = await hub.open(ID).prefetchPipeline()
    const snapshot = join(hub.folder, 'models--stable-diffusion-v1-5--tiny/snapshots', commit)
    expect(await tree(snapshot)).toEqual(Object.keys(files).sort())
    for (const path of Object.keys(files)) expect(lstatSync(join(snapshot, path)).isFile()).toBe(true)
    expect(await tree(join(hub.folder, 'models--stable-diffusion-v1-5--tiny/blobs'))).toEqual([])
    await hub.server.stop()
    const offline = hub.open(ID)
    expect(await offline.prefetchPipeline()).toEqual(plan)
    for (const path of Object.keys(files)) expectSame(await contents(offline.open(path)), files[path])
  })

  it('copies a blob that is already there, which others may link to', async () => {
    const weights = noise(20_000)
    const commit = hub.server.add(ID, { 'a.safetensors': weights, 'b.safetensors': weights })
    await hub.open(ID).prefetch(['a.safetensors'])
    hub.cache = new DiskCache(hub.folder, { symlink: noLinks })
    await hub.open(ID).prefetch(['b.safetensors'])
    const snapshot = join(hub.folder, 'models--stable-diffusion-v1-5--tiny/snapshots', commit)
    expect(await readlink(join(snapshot, 'a.safetensors'))).toContain(sha256(weights))
    expect(lstatSync(join(snapshot, 'b.safetensors')).isFile()).toBe(true)
    expectSame(await contents(hub.cache.open(ID, commit, 'b.safetensors')), weights)
    expect(hub.server.bytesSent()).toBe(20_000)
    expect(await tree(join(hub.folder, 'models--stable-diffusion-v1-5--tiny/blobs'))).toEqual([sha256(weights)])
  })

  it('another failure to link is an error, and the blob stays for the next attempt', async () => {
    hub.server.add(ID, { 'a.safetensors': noise(20_000) })
    hub.cache = new DiskCache(hub.folder, {
      symlink: async () => {
        throw Object.assign(new Error('EIO: i/o error'), { code: 'EIO' })
      },
    })
    await expect(hub.open(ID).prefetch(['a.safetensors'])).rejects.toThrow('EIO')
    hub.cache = new DiskCache(hub.folder)
    await hub.open(ID).prefetch(['a.safetensors'])
    expect(hub.server.bytesSent()).toBe(20_000)
  })
})

describe('a cache that may only be read', () => {
  const hub = useWorkspace()

  it('is used as far as it goes', async () => {
    const files = readFolder('test/fixtures/models/tiny-sd1')
    await layOut(hub.folder, files)
    // Root may write anyway: for root this shows only that nothing is written.
    const before = await tree(hub.folder)
    await chmod(join(hub.folder, 'models--stable-diffusion-v1-5--tiny'), 0o555)
    await hub.open(ID, { localFilesOnly: true }).prefetchPipeline()
    await chmod(join(hub.folder, 'models--stable-diffusion-v1-5--tiny'), 0o755)
    expect(await tree(hub.folder)).toEqual(before)
  })
})

describe('hashing', () => {
  it('knows the two names that git and LFS give', () => {
    const bytes = new TextEncoder().encode('hello\n')
    // `git hash-object` and `sha256sum` of this file.
    expect(gitSha1(bytes)).toBe('ce013625030ba8dba906f756967f9e9ca394464a')
    expect(sha256(bytes)).toBe('5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03')
  })
})
