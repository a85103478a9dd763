import type { Store } from './storage'

/** An address that no server has: the entries of a cache are named by addresses. */
const BASE = 'https://latentkit.invalid/'

/** Files as answers in a cache of the Cache API. */
export class CachesStore implements Store {
  readonly name: string
  readonly #cache: Promise<Cache>

  /** @param folder - The cache's name. */
  constructor(folder: string) {
    this.name = `the browser's cache ${folder}`
    this.#cache = caches.open(folder)
  }

  async get(path: string): Promise<Blob | undefined> {
    return (await (await this.#cache).match(BASE + path))?.blob()
  }

  async put(path: string, pieces: readonly Uint8Array<ArrayBuffer>[]): Promise<void> {
    await (await this.#cache).put(BASE + path, new Response(new Blob([...pieces])))
  }

  async list(folder: string): Promise<readonly string[]> {
    const start = `${BASE}${folder}/`
    const requests = await (await this.#cache).keys()
    return requests.flatMap(({ url }) => (url.startsWith(start) ? [url.slice(start.length)] : [])).sort()
  }

  async remove(path: string): Promise<void> {
    const cache = await this.#cache
    await cache.delete(BASE + path)
    const below = await this.list(path)
    await Promise.all(below.map((file) => cache.delete(`${BASE}${path}/${file}`)))
  }
}
