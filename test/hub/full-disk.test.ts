import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { DiskCache } from '../../src/platform/node/disk-cache'
import { contents, expectSame, failure, noise, tree, useWorkspace } from './workspace'

const hub = useWorkspace()
const ID = 'someone/model'
const MB = 2 ** 20
const BYTES = noise(4 * MB)

let disk = ''
/** A disk of 6 MB: memory that is mounted, which needs root. Without it these tests fail rather than pass unseen. */
beforeEach(() => {
  disk = mkdtempSync(join(tmpdir(), 'latentkit-disk-'))
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=6m', 'tmpfs', disk])
  hub.cache = new DiskCache(join(disk, 'cache'))
})
afterEach(() => {
  execFileSync('umount', [disk])
  rmSync(disk, { recursive: true })
})

const freeBytes = () => {
  const { bavail, bsize } = statfsSync(disk)
  return bavail * bsize
}

describe('a full disk', () => {
  it('is noticed before anything is fetched', async () => {
    hub.server.add(ID, { 'a.bin': BYTES, 'b.bin': noise(3 * MB, 2) })
    const error = await failure(hub.open(ID).prefetch(['a.bin', 'b.bin']))
    expect(error.code).toBe('ERR_HUB_DISK_FULL')
    expect(error.message).toMatch(new RegExp(`got \\d+ bytes free, expected ${7 * MB}.*cache rm.*cacheDir`))
    expect(hub.server.bytesSent()).toBe(0)
    expect(await tree(disk)).toEqual([])
    // Either of them fits.
    await hub.open(ID).prefetch(['a.bin'])
  })

  it('counts what is already there', async () => {
    hub.server.add(ID, { 'a.bin': BYTES })
    hub.server.fault = (_, attempt) => (attempt === 0 ? { kind: 'cut', after: 3 * MB, clean: true } : { kind: 'reset' })
    expect(await failure(hub.open(ID, { retries: 1 }).open('a.bin'))).toMatchObject({ code: 'ERR_HUB_CONNECTION' })
    expect(freeBytes()).toBeLessThan(4 * MB)
    hub.server.fault = () => undefined
    expectSame(await contents(hub.open(ID).open('a.bin')), BYTES)
    expect(hub.server.bytesSent()).toBe(4 * MB)
  })

  it('that fills while a file arrives: an error, and no part of it is left', async () => {
    hub.server.add(ID, { 'a.bin': BYTES })
    hub.server.fault = () => ({ kind: 'slow', bytesPerSecond: 8 * MB })
    const onProgress = () => writeFileSync(join(disk, 'other'), noise(Math.min(4 * MB, freeBytes())))
    let isFilled = false
    const opening = hub.open(ID, {
      onProgress: (event) => {
        if (isFilled || event.kind !== 'download' || event.loaded === 0) return
        isFilled = true
        onProgress()
      },
    })
    const error = await failure(opening.open('a.bin'))
    expect(error.code).toBe('ERR_HUB_DISK_FULL')
    expect(error.cause).toMatchObject({ code: 'ENOSPC' })
    expect((await tree(disk)).filter((path) => path !== 'other')).toEqual([])
    rmSync(join(disk, 'other'))
    hub.server.fault = () => undefined
    expectSame(await contents(hub.open(ID).open('a.bin')), BYTES)
  })

  it('on which not even the lock fits', async () => {
    const commit = hub.server.add(ID, { 'a.bin': BYTES })
    const [file] = await hub.open(ID).list()
    writeFileSync(join(disk, 'other'), noise(freeBytes()))
    const storing = hub.cache.store(ID, commit, file, (writer) => writer.write(BYTES))
    expect(await failure(storing)).toMatchObject({ code: 'ERR_HUB_DISK_FULL' })
    expect((await tree(disk)).filter((path) => path !== 'other')).toEqual([])
    rmSync(join(disk, 'other'))
    expectSame(await contents(hub.open(ID).open('a.bin')), BYTES)
  })

  it('stops the other files that were on their way', async () => {
    hub.server.add(ID, { 'a.bin': BYTES, 'b.bin': noise(MB, 3) })
    hub.server.fault = () => ({ kind: 'slow', bytesPerSecond: 4 * MB })
    let isFilled = false
    const loading = hub.open(ID).prefetch(['a.bin', 'b.bin'], {
      onProgress: (event) => {
        if (isFilled || event.kind !== 'download' || event.loaded === 0) return
        isFilled = true
        writeFileSync(join(disk, 'other'), noise(freeBytes()))
      },
    })
    expect(await failure(loading)).toMatchObject({ code: 'ERR_HUB_DISK_FULL' })
    expect((await tree(disk)).filter((path) => path.endsWith('.lock'))).toEqual([])
  })
})
