import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { join, resolve } from 'node:path'
import { gzipSync } from 'node:zlib'
import * as esbuild from 'esbuild'
import type { Browser } from 'playwright-core'
import * as vite from 'vite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import webpack from 'webpack'
import { StableDiffusionPipeline } from '../../src/node'
import { tinyRepository } from '../repositories'
import { launch } from './browser'
import { cache, packageFolder, runtimeFolder } from './places'
import { serve } from './server'

const options = { prompt: 'a red circle', numInferenceSteps: 2, height: 64, width: 64, seed: 3 }

/** A page that draws as soon as it is opened; `prepare` is what a bundler needs to be helped with. */
function pageScript(prepare = '', from = 'latentkit'): string {
  return `
    import { env, httpRepository, StableDiffusionPipeline } from '${from}'
    ${prepare}
    async function draw() {
      const pipe = await StableDiffusionPipeline.fromPretrained(httpRepository('/fixtures/models/tiny-sd1'), { device: 'wasm' })
      const { images } = await pipe.run(${JSON.stringify(options)})
      return Array.from(images[0].data)
    }
    globalThis.drawn = draw().catch((error) => error.message)
  `
}

const html = (script: string) =>
  `<!doctype html><link rel="icon" href="data:,"><script type="module" src="${script}"></script>`

/** A project's folder, where the package is found as an installed one. */
function project(name: string, files: Readonly<Record<string, string>>): string {
  const folder = join(cache, name)
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, file), text)
  return folder
}

/** All JavaScript of a folder, ONNX Runtime's own apart. */
function scriptsIn(folder: string): string {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  const texts = files.filter((file) => /\.m?js$/.test(file)).map((file) => readFileSync(join(folder, file), 'utf8'))
  return texts.filter((text) => !text.includes('ort-wasm')).join('\n')
}

const nodeImport = new RegExp(
  `(?:from|import|require)\\s*\\(?\\s*["'\`](?:node:[a-z/]+|${builtinModules.join('|')})["'\`]`,
)

let browser: Browser
let expected: number[]
beforeAll(async () => {
  browser = await launch()
  const pipe = await StableDiffusionPipeline.fromPretrained(tinyRepository('tiny-sd1'), { device: 'cpu' })
  expected = Array.from((await pipe.run(options)).images[0].data)
  await pipe.dispose()
})
afterAll(() => browser?.close())

/** Opens a page, and expects it to draw what Node draws. */
async function expectToDraw(address: string): Promise<void> {
  const page = await browser.newPage()
  const messages: string[] = []
  page.on('console', (message) => messages.push(message.text()))
  page.on('pageerror', (error) => messages.push(error.message))
  await page.goto(address)
  await page.waitForFunction(() => 'drawn' in globalThis, undefined, { timeout: 60_000 }).catch(() => undefined)
  const drawn = await page.evaluate(() => (globalThis as { drawn?: Promise<number[] | string> }).drawn)
  await page.close()
  if (!Array.isArray(drawn)) throw new Error(`the page drew nothing: ${drawn}; ${messages.join('; ')}`)
  expect(drawn.length).toBe(expected.length)
  // Sums in another order: a value at the edge may be rounded the other way.
  expect(Math.max(...drawn.map((value, i) => Math.abs(value - expected[i])))).toBeLessThanOrEqual(1)
}

async function expectFolderToDraw(folder: string, more: Readonly<Record<string, string>> = {}): Promise<void> {
  const server = await serve({ '/': folder, '/fixtures/': resolve('test/fixtures'), ...more })
  try {
    await expectToDraw(`${server.origin}/index.html`)
  } finally {
    await server.close()
  }
}

describe('a page draws what Node draws, built', () => {
  it('by Vite, without configuration', async () => {
    const root = project('vite', { 'index.html': html('/main.js'), 'main.js': pageScript() })
    await vite.build({ root, configFile: false, logLevel: 'error' })
    expect(scriptsIn(join(root, 'dist'))).not.toMatch(nodeImport)
    await expectFolderToDraw(join(root, 'dist'))
  })

  it("by Vite's development server, which must leave onnxruntime-web as it is", async () => {
    const root = project('vite-dev', { 'index.html': html('/main.js'), 'main.js': pageScript() })
    const fixtures = await serve({ '/fixtures/': resolve('test/fixtures') })
    const server = await vite.createServer({
      root,
      configFile: false,
      logLevel: 'error',
      optimizeDeps: { exclude: ['onnxruntime-web'] },
      server: { port: 0, proxy: { '/fixtures': fixtures.origin }, fs: { strict: false } },
    })
    await server.listen()
    try {
      await expectToDraw(`${server.resolvedUrls?.local[0]}index.html`)
    } finally {
      await server.close()
      await fixtures.close()
    }
  })

  it('by webpack, without configuration', async () => {
    const root = project('webpack', { 'main.js': pageScript() })
    const output = { path: join(root, 'dist'), filename: 'main.js', publicPath: '/' }
    const stats = await new Promise<webpack.Stats | undefined>((done, fail) => {
      webpack({ mode: 'production', context: root, entry: './main.js', output, performance: false }, (error, result) =>
        error ? fail(error) : done(result),
      )
    })
    expect(stats?.toJson({ all: false, errors: true, warnings: true })).toMatchObject({ errors: [], warnings: [] })
    expect(scriptsIn(output.path)).not.toMatch(nodeImport)
    writeFileSync(join(output.path, 'index.html'), html('/main.js'))
    await expectFolderToDraw(output.path)
  })

  it("by esbuild, told where onnxruntime-web's files are", async () => {
    const root = project('esbuild', { 'main.js': pageScript("env.wasmPaths = '/onnxruntime/'") })
    const outdir = join(root, 'dist')
    const entry = { entryPoints: [join(root, 'main.js')], outdir, bundle: true, splitting: true, minify: true }
    const { warnings } = await esbuild.build({ ...entry, format: 'esm', logLevel: 'silent' })
    expect(warnings).toEqual([])
    expect(scriptsIn(outdir)).not.toMatch(nodeImport)
    writeFileSync(join(outdir, 'index.html'), html('/main.js'))
    await expectFolderToDraw(outdir, { '/onnxruntime/': runtimeFolder })
  })

  it('by nothing: a script from the package, beside onnxruntime-web', async () => {
    const script = pageScript('', '/node_modules/latentkit/dist/standalone/latentkit.js')
    const root = project('plain', { 'index.html': html('/main.js'), 'main.js': script })
    expect(scriptsIn(join(packageFolder, 'dist/standalone'))).not.toMatch(nodeImport)
    await expectFolderToDraw(root, {
      '/node_modules/latentkit/': packageFolder,
      '/node_modules/onnxruntime-web/dist/': runtimeFolder,
    })
  })

  it('by nothing, with onnxruntime-web elsewhere', async () => {
    const script = pageScript("env.wasmPaths = '/elsewhere'", '/scripts/latentkit.js')
    const root = project('plain-elsewhere', { 'index.html': html('/main.js'), 'main.js': script })
    await expectFolderToDraw(root, {
      '/scripts/': join(packageFolder, 'dist/standalone'),
      '/elsewhere/': runtimeFolder,
    })
  })
})

describe('who imports one scheduler gets that one:', () => {
  const script = "import { EulerDiscreteScheduler } from 'latentkit'; console.log(new EulerDiscreteScheduler())"
  const bundles: Record<string, () => Promise<string>> = {
    async vite() {
      const root = project('shake-vite', { 'index.html': html('/main.js'), 'main.js': script })
      await vite.build({ root, configFile: false, logLevel: 'error' })
      const [first] = /assets\/index-[^"]+\.js/.exec(readFileSync(join(root, 'dist/index.html'), 'utf8')) ?? ['']
      return readFileSync(join(root, 'dist', first), 'utf8')
    },
    async webpack() {
      const root = project('shake-webpack', { 'main.js': script })
      const output = { path: join(root, 'dist'), filename: 'main.js' }
      await new Promise<void>((done, fail) => {
        webpack({ mode: 'production', context: root, entry: './main.js', output }, (error) =>
          error ? fail(error) : done(),
        )
      })
      return readFileSync(join(output.path, 'main.js'), 'utf8')
    },
    async esbuild() {
      const root = project('shake-esbuild', { 'main.js': script })
      const outdir = join(root, 'dist')
      const entry = { entryPoints: [join(root, 'main.js')], outdir, bundle: true, splitting: true, minify: true }
      await esbuild.build({ ...entry, format: 'esm' })
      return readFileSync(join(outdir, 'main.js'), 'utf8')
    },
  }

  it.each(Object.entries(bundles))('by %s', async (_, bundle) => {
    const text = await bundle()
    expect(text).toContain('EulerDiscreteScheduler')
    const others = ['DDIMScheduler', 'PNDMScheduler', 'UniPCMultistepScheduler', 'EulerAncestralDiscreteScheduler']
    const parts = [
      'StableDiffusionPipeline',
      'UNet2DConditionModel',
      'AutoencoderKL',
      'CLIPTokenizer',
      'model_index.json',
    ]
    for (const name of [...others, ...parts]) expect(text.includes(name), name).toBe(false)
    // The scheduler, tensors, and the preset that says which platform this is.
    expect(gzipSync(text).length).toBeLessThan(20_000)
  })
})
