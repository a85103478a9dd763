import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { build } from 'esbuild'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { launch } from './browser'
import type { WorkerPageTools } from './page/worker'
import { cache, packageFolder, runtimeFolder } from './places'
import { serve, type TestServer } from './server'

let browser: Browser
let server: TestServer
let page: Page
const messages: string[] = []

beforeAll(async () => {
  const outdir = join(cache, 'worker-page')
  const dist = join(packageFolder, 'dist')
  await build({
    // The worker's script is two levels above the module that starts it, or beside it where there is nothing above.
    entryPoints: { page: 'test/web/page/worker.ts', 'worker-web-thread': join(dist, 'worker-web-thread.js') },
    outdir,
    bundle: true,
    splitting: true,
    format: 'esm',
    target: 'es2022',
    logLevel: 'warning',
    alias: { 'latentkit/worker': join(dist, 'worker-web.js'), latentkit: join(dist, 'web.js') },
  })
  writeFileSync(join(outdir, 'index.html'), '<!doctype html><title>latentkit</title><link rel="icon" href="data:,">')
  const folders = { '/': outdir, '/fixtures/': resolve('test/fixtures'), '/onnxruntime/': runtimeFolder }
  server = await serve(folders)
  browser = await launch()
  page = await browser.newPage()
  page.on('console', (message) => messages.push(message.text()))
  page.on('pageerror', (error) => messages.push(`uncaught: ${error.message}`))
  await page.goto(`${server.origin}/index.html`)
  await page.addScriptTag({ url: '/page.js', type: 'module' })
  await page.waitForFunction(() => 'tools' in globalThis)
})
afterAll(async () => {
  await browser?.close()
  await server?.close()
})

/** Calls one of the page's tools. */
function call<K extends keyof WorkerPageTools>(tool: K): Promise<Awaited<ReturnType<WorkerPageTools[K]>>> {
  const run = (name: string) => (globalThis as unknown as { tools: Record<string, () => never> }).tools[name]()
  return page.evaluate(run, tool)
}

it('a worker draws what the page draws, bit for bit', async () => {
  // The third says that the comparison can fail: pictures from text and from a picture differ.
  expect(await call('same'), messages.join('\n')).toEqual([true, true, false])
})

it('streams with previews, stops at a step, draws again, and is disposed of', async () => {
  expect(await call('use')).toEqual({
    // PNDM takes one step more than it is asked for.
    widths: [64, 64, 64, 64, 64],
    reason: 'enough',
    late: 'TimeoutError',
    isKnown: true,
    width: 64,
    disposed: 'ERR_STATE',
  })
})

it('the page has no long task while the worker draws', async () => {
  const { inWorker, inPage } = await call('longTasks')
  expect(inWorker).toEqual([])
  expect(inPage.length).toBeGreaterThan(0)
})

it('a worker draws on the GPU what it draws on WebAssembly', async () => {
  // In full float32 both are within 1e-5: a value beside a rounding border may come out as its neighbour.
  const { difference, tasks } = await call('gpu')
  expect(difference, messages.join('\n')).toBeLessThanOrEqual(1)
  expect(tasks).toEqual([])
})
