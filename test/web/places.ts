import { existsSync } from 'node:fs'
import { resolve } from 'node:path'

/** Where what a run of the tests builds lies: below the project's own `node_modules`, so that its packages are found. */
export const cache = resolve('node_modules/.cache', process.env.LATENTKIT_WEB_TESTS ?? 'web-tests')
/** The package as npm would publish it. */
export const packageFolder = resolve(cache, 'node_modules/latentkit')
/** The page that the tests drive. */
export const pageFolder = resolve(cache, 'page')
/** ONNX Runtime's own files. */
export const runtimeFolder = resolve('node_modules/onnxruntime-web/dist')

/**
 * The browser's path.
 *
 * @throws Error when there is none: without a browser the tests fail, they are not left out.
 */
export function chromiumPath(): string {
  const path = [process.env.CHROMIUM_PATH, '/usr/bin/chromium'].find((each) => each !== undefined && existsSync(each))
  if (path) return path
  throw new Error('There is no Chromium: run `apt-get install chromium libvulkan1`, or set CHROMIUM_PATH.')
}
