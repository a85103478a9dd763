import { resolve } from 'node:path'
import { type Browser, chromium, type Page } from 'playwright-core'
import type { PageTools } from './page/main'
import { chromiumPath, pageFolder, runtimeFolder } from './places'
import { serve, type TestServer } from './server'

/** WebGPU on the CPU, by SwiftShader, and no services of Google. */
const flags = [
  '--headless=new',
  '--no-sandbox',
  '--disable-dev-shm-usage',
  '--enable-unsafe-webgpu',
  '--enable-features=Vulkan',
  '--use-webgpu-adapter=swiftshader',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
]

/** Starts Chromium. */
export function launch(): Promise<Browser> {
  return chromium.launch({ executablePath: chromiumPath(), args: flags })
}

/** A page with the test tools, in a browser of its own. */
export interface TestPage {
  readonly page: Page
  readonly server: TestServer
  /** What the page wrote to its console. */
  readonly console: string[]
  /** Calls one of the page's tools. */
  call<K extends keyof PageTools>(
    tool: K,
    ...args: Parameters<PageTools[K]>
  ): Promise<Awaited<ReturnType<PageTools[K]>>>
  close(): Promise<void>
}

/**
 * Opens the page.
 *
 * @param options - `isolated`: as a cross-origin isolated page. `jspi`: with JavaScript Promise Integration, as this browser
 *   has it; without, as others are. `ranges`: the server understands `Range`.
 */
export async function openPage({ isolated = true, jspi = true, ranges = true } = {}): Promise<TestPage> {
  const folders = {
    '/': pageFolder,
    '/fixtures/': resolve('test/fixtures'),
    '/models/': resolve('models'),
    '/onnxruntime/': runtimeFolder,
  }
  const server = await serve(folders, { isolated, ranges })
  const browser = await launch()
  const page = await (await browser.newContext()).newPage()
  const messages: string[] = []
  page.on('console', (message) => messages.push(message.text()))
  page.on('pageerror', (error) => messages.push(`uncaught: ${error.message}`))
  if (!jspi) await page.addInitScript(() => Reflect.deleteProperty(WebAssembly, 'Suspending'))
  await page.goto(`${server.origin}/index.html`)
  await page.addScriptTag({ url: '/page.js', type: 'module' })
  await page.waitForFunction(() => 'tools' in globalThis)
  return {
    page,
    server,
    console: messages,
    call: (tool, ...args) =>
      page.evaluate(
        ([name, list]) => {
          const { tools } = globalThis as unknown as { tools: Record<string, (...args: unknown[]) => unknown> }
          return tools[name](...list)
        },
        [tool, args] as const,
      ) as ReturnType<TestPage['call']> as never,
    async close() {
      await browser.close()
      await server.close()
    },
  }
}
