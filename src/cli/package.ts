import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { NotFoundError } from '../node'

/** The package refers to itself by name, which works from its sources as from its build. */
const manifest = createRequire(import.meta.url).resolve('latentkit/package.json')

/** The version of this package. */
export const version: string = JSON.parse(readFileSync(manifest, 'utf8')).version

/**
 * The folder of the model that comes with the package.
 *
 * @throws NotFoundError when it is not there.
 */
export function embeddedModel(): string {
  const folder = join(dirname(manifest), 'models', 'tiny-shapes')
  if (existsSync(join(folder, 'model_index.json'))) return folder
  throw new NotFoundError('cli', `the model of the package is missing: expected ${folder}; name another with --model`)
}
