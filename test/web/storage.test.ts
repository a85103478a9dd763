import { mkdirSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { build } from 'esbuild'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { HubServer } from '../hub/server'
import { launch } from './browser'
import { cache, packageFolder } from './places'
import { serve, type TestServer } from './server'
import type { StorageTools, StoreKind } from './storage/page'

const folder = resolve(cache, 'storage')
const MB = 2 ** 20

let server: TestServer
let hub: HubServer
let browser: Browser
let page: Page

beforeAll(async () => {
  await build({
    entryPoints: { page: 'test/web/storage/page.ts' },
    outdir: folder,
    bundle: true,
    format: 'esm',
    target: 'es2022',
    logLevel: 'warning',
    alias: {
      vitest: resolve('test/web/storage/vitest.ts'),
      'node:crypto': resolve('test/web/storage/crypto.ts'),
      '#huggingface-hub': resolve(packageFolder, 'dist/huggingface-hub.js'),
    },
  })
  writeFileSync(resolve(folder, 'index.html'), '<!doctype html><title>storage</title><link rel="icon" href="data:,">')
  server = await serve({ '/': folder, '/models/': resolve('models'), '/fixtures/': resolve('test/fixtures') })
  hub = await HubServer.start()
  browser = await launch()
  page = await browser.newPage()
  await open()
})

afterAll(async () => {
  await browser?.close()
  await server?.close()
  await hub?.stop()
})

/** Opens the page anew: what it had in memory is gone. */
async function open(): Promise<void> {
  await page.goto(`${server.origin}/index.html`)
  await page.addScriptTag({ url: '/page.js', type: 'module' })
  await page.waitForFunction(() => 'tools' in globalThis)
  await page.evaluate(async () => {
    const worker = new Worker('/page.js', { type: 'module' })
    let count = 0
    const ask = (name: string, args: unknown[]) =>
      new Promise((resolve, reject) => {
        const id = count++
        worker.addEventListener('message', ({ data: [answered, { value, message }] }) => {
          if (answered !== id) return
          if (message === undefined) resolve(value)
          else reject(new Error(message))
        })
        worker.postMessage([id, name, args])
      })
    Object.assign(globalThis, { ask })
    // What comes before the script listens is lost.
    await new Promise((resolve) => worker.addEventListener('message', resolve, { once: true }))
  })
}

type Place = 'page' | 'worker'

/** Calls one of the page's tools, there or in its worker. */
function call<K extends keyof StorageTools>(
  place: Place,
  tool: K,
  ...args: Parameters<StorageTools[K]>
): ReturnType<StorageTools[K]> {
  const answer = page.evaluate(
    ([where, name, list]) => {
      const scope = globalThis as unknown as {
        tools: Record<string, (...args: unknown[]) => unknown>
        ask(name: string, args: unknown[]): unknown
      }
      return where === 'page' ? scope.tools[name](...list) : scope.ask(name, list)
    },
    [place, tool, args] as const,
  )
  return answer as ReturnType<StorageTools[K]>
}

const kinds: readonly (readonly [StoreKind, Place])[] = [
  ['opfs', 'page'],
  ['opfs', 'worker'],
  ['caches', 'page'],
  ['caches', 'worker'],
]

describe.each(kinds)('the storage of the browser (%s, in a %s)', (kind, place) => {
  it('keeps the contract of a cache', async () => {
    const failures: string[] = []
    const names = await call(place, 'names')
    expect(names.length).toBeGreaterThan(20)
    for (const name of names) {
      await call(place, 'test', kind, name).catch((error: Error) => failures.push(`${name}: ${error.message}`))
    }
    expect(failures).toEqual([])
  })

  it('keeps a large file in parts: reads across their borders, resumes in another page, and is freed', async () => {
    const name = `large-${kind}-${place}`
    const size = 40 * MB
    expect(await call(place, 'store', kind, name, size, 21 * MB)).toBe(0)
    await open()
    expect(await call(place, 'store', kind, name, size)).toBe(21 * MB)
    const ranges = [
      [0, 100],
      [16 * MB - 3, 10],
      [16 * MB - 5, 22 * MB],
      [size - 7, 7],
      [size, 0],
    ] as const
    expect(await call(place, 'check', kind, name, ranges)).toEqual(ranges.map(() => true))
    expect(await call(place, 'remove', kind, name)).toBe(size)
  })
})

describe('the storage of the browser', () => {
  it.each(['opfs', 'caches'] as const)('says how much is missing when a file does not fit (%s)', async (kind) => {
    const session = await page.context().newCDPSession(page)
    await session.send('Storage.overrideQuotaForOrigin', { origin: server.origin, quotaSize: 24 * MB })
    try {
      const size = 40 * MB
      await expect(call('page', 'store', kind, `full-${kind}`, size)).rejects.toThrow(
        new RegExp(
          `no room for large.bin of owner/name .*: got \\d+ bytes free, expected ${size}, \\d+ more. Remove models`,
        ),
      )
      await expect(call('page', 'check', kind, `full-${kind}`, [])).rejects.toThrow('it is not there')
    } finally {
      await session.send('Storage.overrideQuotaForOrigin', { origin: server.origin })
      await session.detach()
    }
  })

  it('opens a folder beside the page without a network once it was read', async () => {
    const paths = ['model_index.json', 'vae/config.json', 'none.json']
    const address = `${server.origin}/models/tiny-shapes`
    expect(await call('page', 'lengths', address, paths)).toEqual([1, 1, undefined])
    await page.context().setOffline(true)
    try {
      expect(await call('worker', 'lengths', address, paths)).toEqual([1, 1, undefined])
      await expect(call('page', 'lengths', address, ['unet/config.json'])).rejects.toThrow('cannot be read')
    } finally {
      await page.context().setOffline(false)
    }
  })

  // The server does not say which version a file is, so that each opening fetches it.
  it('keeps a file that is open, here or in a worker, when the server has another one', async () => {
    const address = `${server.origin}/changing`
    const change = (text: string) => writeFileSync(resolve(folder, 'changing/note.txt'), text)
    mkdirSync(resolve(folder, 'changing'), { recursive: true })
    change('one')
    expect(await call('page', 'openFile', address, 'note.txt')).toBe('one')
    change('two')
    expect(await call('worker', 'openFile', address, 'note.txt')).toBe('two')
    change('three')
    expect(await call('page', 'openFile', address, 'note.txt')).toBe('three')
    expect(await call('page', 'readFiles')).toEqual(['one', 'three'])
    // Once nobody reads the old one any more, the new one is stored in its place.
    await open()
    change('four')
    expect(await call('worker', 'openFile', address, 'note.txt')).toBe('four')
    await page.context().setOffline(true)
    try {
      expect(await call('page', 'openFile', address, 'note.txt')).toBe('four')
    } finally {
      await page.context().setOffline(false)
    }
  })

  it('fetches a repository of the Hub once', async () => {
    const weights = Uint8Array.from({ length: 30_000 }, (_, i) => i)
    hub.add('owner/tiny', { 'config.json': '{}', 'unet/weights.safetensors': weights })
    const paths = ['config.json', 'unet/weights.safetensors', 'none.json']
    const options = { endpoint: hub.endpoint }
    expect(await call('page', 'lengths', 'owner/tiny', paths, options)).toEqual([1, 1, undefined])
    const connections = hub.requests.length
    expect(await call('worker', 'lengths', 'owner/tiny', paths, options)).toEqual([1, 1, undefined])
    expect(hub.requests.length).toBe(connections)
  })
})
