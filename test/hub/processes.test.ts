import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'
import { sha256, wait } from './server'
import { contents, expectSame, noise, tree, useWorkspace } from './workspace'

const hub = useWorkspace()
const ID = 'someone/model'
const PATH = 'unet/weights.safetensors'
const BYTES = noise(6_000_000)
const BLOBS = 'models--someone--model/blobs'
const children: ChildProcess[] = []

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
})

/** Starts a process that fetches the file; its exit status comes when it ends. */
function download(): { child: ChildProcess; ended: Promise<number | null> } {
  const program = fileURLToPath(new URL('./downloader.ts', import.meta.url))
  const args = ['--import', 'tsx', program, hub.server.endpoint, hub.folder, ID, PATH]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] })
  children.push(child)
  return { child, ended: once(child, 'exit').then(([code]) => code) }
}

async function incompleteSize(): Promise<number> {
  return stat(join(hub.folder, BLOBS, `${sha256(BYTES)}.incomplete`)).then(
    (info) => info.size,
    () => 0,
  )
}

async function expectWhole(): Promise<void> {
  expect(await readdir(join(hub.folder, BLOBS))).toEqual([sha256(BYTES)])
  expectSame(await readFile(join(hub.folder, BLOBS, sha256(BYTES))), BYTES)
  expect((await tree(hub.folder)).filter((path) => path.startsWith('.locks'))).toEqual([])
}

describe('a process killed in the middle of a download', () => {
  it('is followed by one that goes on from there', async () => {
    hub.server.add(ID, { [PATH]: BYTES })
    hub.server.fault = (_, attempt) => (attempt === 0 ? { kind: 'hang', after: 3_000_000 } : undefined)
    const first = download()
    while ((await incompleteSize()) < 2_000_000) await wait(20)
    first.child.kill('SIGKILL')
    expect(await first.ended).toBeNull()
    const there = await incompleteSize()
    expect(there).toBeLessThanOrEqual(3_000_000)
    // Its lock is still there, too.
    expect((await tree(hub.folder)).filter((path) => path.startsWith('.locks'))).toHaveLength(1)

    const second = download()
    expect(await second.ended).toBe(0)
    const [, resumed] = hub.server.bodies(PATH)
    expect(resumed).toMatchObject({ range: `bytes=${there}-`, sent: BYTES.length - there })
    await expectWhole()
  })

  it('again and again, and ends with the right bytes', async () => {
    hub.server.add(ID, { [PATH]: BYTES })
    hub.server.fault = () => ({ kind: 'slow', bytesPerSecond: 4_000_000 })
    for (const part of [1, 2, 3]) {
      const { child, ended } = download()
      while ((await incompleteSize()) < part * 1_000_000) await wait(5)
      child.kill('SIGKILL')
      await ended
    }
    expectSame(await contents(hub.open(ID).open(PATH)), BYTES)
    expect(
      hub.server
        .bodies(PATH)
        .slice(1)
        .every((body) => /^bytes=[1-9]/.test(body.range ?? '')),
    ).toBe(true)
    await expectWhole()
  })
})

describe('processes that want the same file at once', () => {
  it('download it once', async () => {
    hub.server.add(ID, { [PATH]: BYTES })
    hub.server.fault = () => ({ kind: 'slow', bytesPerSecond: 4_000_000 })
    const statuses = await Promise.all([download(), download(), download()].map(({ ended }) => ended))
    expect(statuses).toEqual([0, 0, 0])
    expect(hub.server.bytesSent()).toBe(BYTES.length)
    expect(hub.server.bodies(PATH)).toHaveLength(1)
    await expectWhole()
  })

  it('one of which is killed: the other takes over from there', async () => {
    hub.server.add(ID, { [PATH]: BYTES })
    hub.server.fault = (_, attempt) => (attempt === 0 ? { kind: 'hang', after: 3_000_000 } : undefined)
    const first = download()
    while ((await incompleteSize()) < 2_000_000) await wait(20)
    const second = download()
    await wait(1000)
    expect(hub.server.bodies(PATH)).toHaveLength(1)
    first.child.kill('SIGKILL')
    expect(await second.ended).toBe(0)
    expect(hub.server.bodies(PATH)[1].range).toMatch(/^bytes=[1-9]/)
    await expectWhole()
  })
})
