import { NotFoundError } from '../../core/errors'
import { expectRange, type FileSource } from '../../core/file'
import type { Store } from './storage'

/** How much is written at a time: what a page that is closed loses at most, and what waits in memory. */
const PART = 2 ** 24
/** How many parts stay open: networks read from a few places at once. */
const OPEN = 4
/** The file that says that all parts are there. */
const COMPLETE = 'complete'

/** Where the parts of a file begin: each is a file of the store, named by its offset in decimal digits. */
async function partOffsets(store: Store, folder: string): Promise<number[]> {
  const names = (await store.list(folder)).filter((name) => /^\d+$/.test(name))
  return names.map(Number).sort((a, b) => a - b)
}

/** What {@link PartWriter.complete} was told, when the file is complete. */
export async function completeness(store: Store, folder: string): Promise<string | undefined> {
  return (await store.get(`${folder}/${COMPLETE}`))?.text()
}

/** Length of all that is there, in bytes. */
export async function partsSize(store: Store, folder: string): Promise<number> {
  const last = (await partOffsets(store, folder)).at(-1)
  return last === undefined ? 0 : last + ((await store.get(`${folder}/${last}`))?.size ?? 0)
}

/** Writes a file in parts, from where an earlier attempt ended. */
export class PartWriter {
  private batch: Uint8Array[] = []
  private batchSize = 0

  private constructor(
    private readonly store: Store,
    private readonly folder: string,
    private end: number,
  ) {}

  static async open(store: Store, folder: string): Promise<PartWriter> {
    return new PartWriter(store, folder, await partsSize(store, folder))
  }

  /** How many bytes are there, or on their way. */
  get offset(): number {
    return this.end + this.batchSize
  }

  /** How many of them are stored. */
  get stored(): number {
    return this.end
  }

  /** Appends bytes, which must not be changed any more. */
  async write(bytes: Uint8Array): Promise<void> {
    if (bytes.byteLength === 0) return
    this.batch.push(bytes)
    this.batchSize += bytes.byteLength
    if (this.batchSize >= PART) await this.flush()
  }

  /** Stores what was accepted. */
  async flush(): Promise<void> {
    const { batch, batchSize, end } = this
    if (batchSize === 0) return
    this.batch = []
    this.batchSize = 0
    await this.store.put(`${this.folder}/${end}`, batch)
    this.end += batchSize
  }

  /** Forgets all bytes. */
  async restart(): Promise<void> {
    this.batch = []
    this.batchSize = 0
    this.end = 0
    await this.store.remove(this.folder)
  }

  /** Says that the file is whole. */
  async complete(note: string): Promise<void> {
    await this.flush()
    await this.store.put(`${this.folder}/${COMPLETE}`, [new TextEncoder().encode(note)])
  }
}

/** The bytes of a file in order, a megabyte at a time at most. */
export async function* readParts(store: Store, folder: string): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  for (const offset of await partOffsets(store, folder)) {
    const part = await store.get(`${folder}/${offset}`)
    for (let start = 0; part && start < part.size; start += 2 ** 20) {
      yield new Uint8Array(await part.slice(start, start + 2 ** 20).arrayBuffer())
    }
  }
}

/**
 * A file in parts as a {@link FileSource}: what is read is read from the storage, and nothing else.
 *
 * @param name - What errors call it.
 */
export async function partsSource(store: Store, folder: string, size: number, name: string): Promise<FileSource> {
  const offsets = await partOffsets(store, folder)
  const open = new Map<number, Promise<Blob | undefined>>()
  const part = (index: number) => {
    const known = open.get(index) ?? store.get(`${folder}/${offsets[index]}`)
    open.delete(index)
    open.set(index, known)
    for (const oldest of open.keys()) if (open.size > OPEN) open.delete(oldest)
    return known
  }
  const readWithin = async (index: number, start: number, end: number): Promise<Uint8Array> => {
    try {
      const blob = await part(index)
      const bytes = await blob?.slice(start, end).arrayBuffer()
      if (bytes?.byteLength === end - start) return new Uint8Array(bytes)
    } catch (cause) {
      open.delete(index)
      throw gone(name, cause)
    }
    throw gone(name)
  }
  const source: FileSource = {
    name,
    size,
    async read(offset, length) {
      expectRange(source, offset, length)
      const end = offset + length
      let index = offsets.findLastIndex((start) => start <= offset)
      const partEnd = (i: number) => offsets[i + 1] ?? size
      if (length > 0 && end <= partEnd(index)) return readWithin(index, offset - offsets[index], end - offsets[index])
      const bytes = new Uint8Array(length)
      for (let at = offset; at < end; index++) {
        const until = Math.min(end, partEnd(index))
        bytes.set(await readWithin(index, at - offsets[index], until - offsets[index]), at - offset)
        at = until
      }
      return bytes
    },
  }
  return source
}

function gone(name: string, cause?: unknown): NotFoundError {
  const reason = cause instanceof Error ? `: ${cause.message}` : ''
  return new NotFoundError('storage', `${name} was removed from the storage while it was in use${reason}`, { cause })
}
