import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { withFileLock } from '../../src/platform/node/file-lock'
import { wait } from './server'

let folder = ''
let path = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'latentkit-lock-'))
  path = join(folder, 'deep/er/a.lock')
})
afterEach(() => rm(folder, { recursive: true, force: true }))

describe('a lock', () => {
  it('lets one in at a time, and leaves nothing behind', async () => {
    let inside = 0
    let most = 0
    const enter = async () => {
      most = Math.max(most, ++inside)
      await wait(5)
      inside--
    }
    await Promise.all(Array.from({ length: 8 }, () => withFileLock(path, enter)))
    expect(most).toBe(1)
    expect(await readdir(join(folder, 'deep/er'))).toEqual([])
  })

  it('is given back when the work fails', async () => {
    const failing = withFileLock(path, async () => {
      throw new Error('no')
    })
    await expect(failing).rejects.toThrow('no')
    expect(await withFileLock(path, async () => 'free')).toBe('free')
  })

  it('gives what the work gave', async () => {
    expect(await withFileLock(path, async () => 42)).toBe(42)
  })

  it('of a process that was killed is taken over at once', async () => {
    await writeFile(join(folder, 'a.lock'), '')
    const script = `
      import { withFileLock } from './src/platform/node/file-lock'
      await withFileLock(${JSON.stringify(path)}, async () => { console.log('held'); await new Promise((r) => setTimeout(r, 60_000)) })`
    const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await once(child.stdout, 'data')
    const gone = once(child, 'exit')
    let isFree = false
    const waiting = withFileLock(path, async () => {
      isFree = true
    })
    await wait(400)
    expect(isFree).toBe(false)
    child.kill('SIGKILL')
    await gone
    await waiting
    expect(isFree).toBe(true)
    expect(await readdir(join(folder, 'deep/er'))).toEqual([])
  })

  it('tells its holder when another took it over', async () => {
    await withFileLock(path, async (check) => {
      await check()
      const mine = await readFile(path, 'utf8')
      expect(JSON.parse(mine)).toMatchObject({ pid: process.pid, machine: expect.stringContaining(hostname()) })
      await writeFile(path, mine.replace(String(process.pid), '1'))
      await expect(check()).rejects.toMatchObject({ code: 'ERR_RUNTIME' })
    })
    // It is not the first holder's to remove any more.
    expect(await readdir(join(folder, 'deep/er'))).toEqual(['a.lock'])
  })

  const another = JSON.stringify({ machine: 'another', pid: 1, id: '1' })

  it('of another machine is respected as long as it is renewed', async () => {
    path = join(folder, 'a.lock')
    await writeFile(path, another)
    const renewing = setInterval(() => utimes(path, new Date(), new Date()), 20)
    const controller = new AbortController()
    const reason = new Error('enough')
    setTimeout(() => controller.abort(reason), 1000)
    const waiting = withFileLock(path, async () => {}, { signal: controller.signal, staleAfter: 500 })
    await expect(waiting).rejects.toBe(reason)
    clearInterval(renewing)
    expect(await readFile(path, 'utf8')).toBe(another)
  })

  it.each([another, '', '{"pid":'])('that says %j is taken over when it is not renewed', async (text) => {
    path = join(folder, 'a.lock')
    await writeFile(path, text)
    expect(await withFileLock(path, async () => 'mine', { staleAfter: 300 })).toBe('mine')
    expect(await readdir(folder)).toEqual([])
  })

  it('is taken over by one of many who wait', async () => {
    path = join(folder, 'a.lock')
    await writeFile(path, another)
    let inside = 0
    let most = 0
    const enter = async () => {
      most = Math.max(most, ++inside)
      await wait(10)
      inside--
    }
    await Promise.all(Array.from({ length: 12 }, () => withFileLock(path, enter, { staleAfter: 500 })))
    expect(most).toBe(1)
    expect(await readdir(folder)).toEqual([])
  })

  it('is taken over although a process was killed while it did so', async () => {
    path = join(folder, 'a.lock')
    await writeFile(path, another)
    await writeFile(`${path}.breaking`, '')
    const longAgo = new Date(Date.now() - 120_000)
    await utimes(`${path}.breaking`, longAgo, longAgo)
    expect(await withFileLock(path, async () => 'mine', { staleAfter: 300 })).toBe('mine')
    expect(await readdir(folder)).toEqual([])
  })
})
