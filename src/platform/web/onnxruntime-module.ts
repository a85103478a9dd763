import { RuntimeError } from '../../core/errors'
import { warn } from '../../core/warn'
import type { Device } from '../../runtime/backend'
import { env } from '../../runtime/env'
import { pageUrl } from './page'

/** The package `onnxruntime-web`, in any of its builds. */
export type OnnxRuntime = typeof import('onnxruntime-web')

const PART = 'onnxruntime-web'

/**
 * The builds of onnxruntime-web. With `jspi` WebAssembly can wait for JavaScript, so that weights stream into it; it is
 * also the smallest one with WebGPU. The others are for browsers that lack JavaScript Promise Integration.
 */
const builds = {
  jspi: () => import('onnxruntime-web/jspi'),
  webgpu: () => import('onnxruntime-web/webgpu'),
  wasm: () => import('onnxruntime-web/wasm'),
}
type Build = keyof typeof builds

/** Whether this browser has JavaScript Promise Integration. */
export function hasJspi(): boolean {
  return 'Suspending' in WebAssembly
}

const loading = new Map<string, Promise<OnnxRuntime>>()

/**
 * Loads the build for a device, once.
 *
 * @param threads - Threads on the CPU; the first session of the page decides.
 * @throws RuntimeError when the package is not there.
 */
export function loadOnnxRuntime(device: Device, threads?: number): Promise<OnnxRuntime> {
  const build = hasJspi() ? 'jspi' : device === 'webgpu' ? 'webgpu' : 'wasm'
  const known = loading.get(build)
  if (known) return known
  const loaded = load(build, device, threads)
  loading.set(build, loaded)
  loaded.catch(() => loading.delete(build))
  return loaded
}

async function load(build: Build, device: Device, threads?: number): Promise<OnnxRuntime> {
  const ort = await importBuild(build)
  ort.env.logLevel = 'error'
  ort.env.wasm.numThreads = threadCount(device, threads)
  if (env.wasmPaths !== undefined) ort.env.wasm.wasmPaths = absolute(env.wasmPaths)
  return ort
}

async function importBuild(build: Build): Promise<OnnxRuntime> {
  try {
    return await builds[build]()
  } catch (cause) {
    // Without a bundler the package's name means nothing; the folder of its files is as good.
    if (typeof env.wasmPaths === 'string') {
      const script = `${absolute(env.wasmPaths)}ort.${build}.bundle.min.mjs`
      const found = await import(/* @vite-ignore */ /* webpackIgnore: true */ script).catch(() => undefined)
      if (found) return found
    }
    const advice = 'run `npm install onnxruntime-web`, or set `env.wasmPaths` to the address of its folder `dist`'
    throw new RuntimeError(PART, `the package could not be loaded: ${advice}`, { cause })
  }
}

/** WebAssembly's threads share memory, which browsers allow on isolated pages only. */
function threadCount(device: Device, threads?: number): number {
  const wanted = threads ?? globalThis.navigator?.hardwareConcurrency ?? 1
  if (globalThis.crossOriginIsolated || wanted === 1) return wanted
  if (device === 'wasm') {
    warn(
      PART,
      `the page is not cross-origin isolated, so wasm runs on one thread instead of ${wanted}: serve it with the headers Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp`,
    )
  }
  return 1
}

/** onnxruntime-web takes whole addresses only. */
function absolute(paths: NonNullable<typeof env.wasmPaths>): string | { wasm?: string; mjs?: string } {
  const resolve = (path: string | URL) => pageUrl(path).href
  if (typeof paths === 'string') return resolve(paths.endsWith('/') ? paths : `${paths}/`)
  const { wasm, mjs } = paths
  return { ...(wasm !== undefined && { wasm: resolve(wasm) }), ...(mjs !== undefined && { mjs: resolve(mjs) }) }
}
