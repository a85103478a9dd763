import type { Store } from './storage'

/** Files that go with the page. The browser decides where the bytes of a `Blob` lie. */
export class MemoryStore implements Store {
  readonly name = 'memory'
  readonly #files = new Map<string, Blob>()

  async get(path: string): Promise<Blob | undefined> {
    return this.#files.get(path)
  }

  async put(path: string, pieces: readonly Uint8Array<ArrayBuffer>[]): Promise<void> {
    this.#files.set(path, new Blob([...pieces]))
  }

  async list(folder: string): Promise<readonly string[]> {
    const start = `${folder}/`
    const below = [...this.#files.keys()].filter((path) => path.startsWith(start))
    return below.map((path) => path.slice(start.length)).sort()
  }

  async remove(path: string): Promise<void> {
    for (const known of this.#files.keys()) {
      if (known === path || known.startsWith(`${path}/`)) this.#files.delete(known)
    }
  }
}
