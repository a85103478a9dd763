import { existsSync, statSync } from 'node:fs'
import { mkdir, rename, rm } from 'node:fs/promises'
import { basename, dirname, extname, join, parse, resolve } from 'node:path'
import { InvalidArgumentError, type RawImage } from '../node'

const extensions = ['.png', '.jpg', '.jpeg', '.webp']
const defaultName = '{prompt}-{seed}.png'

/** Where the pictures of a command go. */
export interface Output {
  /** Writes a picture, whole or not at all, and returns its absolute path. */
  save(image: RawImage, of: { readonly seed: bigint; readonly index: number }): Promise<string>
}

/**
 * Decides where the pictures go, and makes the folder.
 *
 * A folder, and a name with `{prompt}`, `{seed}` or `{index}`, leave room for more pictures: a name that is taken gets a
 * number. A plain file name means that file: if it is there, that is an error.
 *
 * @param output - What `--output` says.
 * @throws InvalidArgumentError when a picture can't go there, before anything is drawn.
 */
export async function planOutput(
  output: string | undefined,
  { prompt, count, force = false }: { readonly prompt: string; readonly count: number; readonly force?: boolean },
): Promise<Output> {
  const isPlain = output !== undefined && !isFolder(output) && !/\{(prompt|seed|index)\}/.test(output)
  const pattern = patternOf(output, isPlain && count > 1)
  const extension = extname(pattern).toLowerCase()
  if (!extensions.includes(extension)) {
    const expected = `a file name that ends in ${extensions.join(', ')}, or a folder, which exists or ends in /`
    throw new InvalidArgumentError('cli', `--output: got ${output}, expected ${expected}`)
  }
  const fill = (seed: bigint | string, index: number) =>
    pattern
      .replaceAll('{prompt}', slug(prompt))
      .replaceAll('{seed}', `${seed}`)
      .replaceAll('{index}', `${index + 1}`)
  if (isPlain && !force) {
    const taken = Array.from({ length: count }, (_, index) => fill('', index)).find((path) => existsSync(path))
    if (taken) throw new InvalidArgumentError('cli', `--output: ${taken} is there already; --force replaces it`)
  }
  await makeFolder(dirname(fill('', 0)))

  const written = new Set<string>()
  const isTaken = (path: string) => written.has(path) || (!force && existsSync(path))
  return {
    async save(image, { seed, index }) {
      const path = firstFree(fill(seed, index), isTaken)
      written.add(path)
      await makeFolder(dirname(path))
      await saveWhole(image, path)
      return path
    },
  }
}

function isFolder(path: string): boolean {
  return /[\\/]$/.test(path) || (existsSync(path) && statSync(path).isDirectory())
}

/** The absolute path of the files, with placeholders. */
function patternOf(output: string | undefined, isNumbered: boolean): string {
  if (output === undefined) return resolve(defaultName)
  if (isFolder(output)) return resolve(output, defaultName)
  if (!isNumbered) return resolve(output)
  const { dir, name, ext } = parse(resolve(output))
  return join(dir, `${name}-{index}${ext}`)
}

/** A text as a part of a file name. */
function slug(text: string): string {
  const words = text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? ['picture']
  return [...words.join('-')].slice(0, 60).join('')
}

function firstFree(path: string, isTaken: (path: string) => boolean): string {
  const { dir, name, ext } = parse(path)
  let free = path
  for (let number = 2; isTaken(free); number++) free = join(dir, `${name}-${number}${ext}`)
  return free
}

async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true })
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : cause
    throw new InvalidArgumentError('cli', `--output: ${path} can't be made: ${reason}`, { cause })
  }
}

/** Writes beside the file and renames, so that there is never half a picture under its name. */
async function saveWhole(image: RawImage, path: string): Promise<void> {
  const temporary = join(dirname(path), `.${process.pid}-${basename(path)}`)
  try {
    await image.save(temporary)
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}
