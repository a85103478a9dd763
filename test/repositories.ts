import { bytesSource, localRepository, type Repository } from '../src/node'
import { fixture } from './goldens'

/** The tiny repository of that name in `test/fixtures/models`. */
export function tinyRepository(name: string): Repository {
  return localRepository(fixture(`models/${name}`))
}

/** A repository with some of its files replaced, or taken away with `undefined`. */
export function overlay(
  base: Repository,
  files: Readonly<Record<string, Uint8Array | object | undefined>>,
): Repository {
  return {
    name: base.name,
    async open(path) {
      if (!Object.hasOwn(files, path)) return base.open(path)
      const content = files[path]
      if (content === undefined) return undefined
      const bytes = content instanceof Uint8Array ? content : new TextEncoder().encode(JSON.stringify(content))
      return bytesSource(bytes, path)
    },
  }
}

/** The bytes of a repository's file. */
export async function fileBytes(repository: Repository, path: string): Promise<Uint8Array> {
  const file = await repository.open(path)
  if (!file) throw new Error(`the fixture ${path} is missing`)
  return file.read(0, file.size)
}

/** The parsed JSON of a repository's file. */
export async function fileJson(repository: Repository, path: string): Promise<Record<string, unknown>> {
  return JSON.parse(new TextDecoder().decode(await fileBytes(repository, path)))
}
