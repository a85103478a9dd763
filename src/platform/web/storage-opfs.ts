import type { Store } from './storage'

/** Files from here on are written in place where the browser can, without the copy that makes small ones safe. */
const LARGE = 2 ** 20

/** What workers have beside `createWritable`: the library for pages does not know it. */
interface SyncAccessHandle {
  truncate(size: number): void
  write(bytes: Uint8Array, options: { at: number }): number
  flush(): void
  close(): void
}
type FileHandle = FileSystemFileHandle & { createSyncAccessHandle?(): Promise<SyncAccessHandle> }

/** Whether the page has a private file system that both pages and workers can write to, and may use it. */
export async function hasOpfs(): Promise<boolean> {
  if (!('createWritable' in (globalThis.FileSystemFileHandle?.prototype ?? {}))) return false
  return navigator.storage.getDirectory().then(
    () => true,
    () => false,
  )
}

/** A folder of the origin's private file system. */
export class OpfsStore implements Store {
  readonly name: string

  /** @param root - The folder's name. */
  constructor(private readonly root: string) {
    this.name = `the browser's storage (folder ${root})`
  }

  async get(path: string): Promise<Blob | undefined> {
    const { folder, name } = split(path)
    const handle = await (await this.folder(folder))?.getFileHandle(name).catch(missing)
    return handle?.getFile().catch(missing)
  }

  async put(path: string, pieces: readonly Uint8Array<ArrayBuffer>[]): Promise<void> {
    const { folder, name } = split(path)
    const parent = await this.folder(folder, true)
    const handle = await parent?.getFileHandle(name, { create: true })
    if (!handle) throw new DOMException(`${path} cannot be made`, 'NotFoundError')
    const size = pieces.reduce((sum, piece) => sum + piece.byteLength, 0)
    try {
      await (size >= LARGE ? writeInPlace(handle, pieces) : replace(handle, pieces))
    } catch (error) {
      await parent?.removeEntry(name).catch(() => {})
      throw error
    }
  }

  async list(folder: string): Promise<readonly string[]> {
    const directory = await this.folder(folder)
    return directory ? (await filesBelow(directory)).sort() : []
  }

  async remove(path: string): Promise<void> {
    const { folder, name } = split(path)
    const parent = await this.folder(folder)
    await parent?.removeEntry(name, { recursive: true }).catch(missing)
  }

  private async folder(path: string, create = false): Promise<FileSystemDirectoryHandle | undefined> {
    let directory: FileSystemDirectoryHandle | undefined = await navigator.storage.getDirectory()
    for (const part of [this.root, ...path.split('/').filter(Boolean)]) {
      directory = await directory.getDirectoryHandle(part, { create }).catch(missing)
      if (!directory) return undefined
    }
    return directory
  }
}

function split(path: string): { folder: string; name: string } {
  const end = path.lastIndexOf('/')
  return { folder: path.slice(0, Math.max(end, 0)), name: path.slice(end + 1) }
}

async function filesBelow(directory: FileSystemDirectoryHandle): Promise<string[]> {
  const files: string[] = []
  for await (const [name, handle] of directory.entries()) {
    if (handle instanceof FileSystemDirectoryHandle) {
      files.push(...(await filesBelow(handle)).map((file) => `${name}/${file}`))
    } else files.push(name)
  }
  return files
}

/** The file is written beside the old one, and takes its place when it is whole. */
async function replace(handle: FileSystemFileHandle, pieces: readonly Uint8Array<ArrayBuffer>[]): Promise<void> {
  const stream = await handle.createWritable()
  try {
    for (const piece of pieces) await stream.write(piece)
  } catch (error) {
    await stream.abort().catch(() => {})
    throw error
  }
  await stream.close()
}

async function writeInPlace(handle: FileHandle, pieces: readonly Uint8Array<ArrayBuffer>[]): Promise<void> {
  if (!handle.createSyncAccessHandle) return replace(handle, pieces)
  const access = await handle.createSyncAccessHandle()
  try {
    access.truncate(0)
    let at = 0
    for (const piece of pieces) {
      const written = access.write(piece, { at })
      if (written < piece.byteLength) throw new DOMException('the storage is full', 'QuotaExceededError')
      at += written
    }
    access.flush()
  } finally {
    access.close()
  }
}

/** Turns what is not there into `undefined`; any other failure stays one. */
function missing(error: unknown): undefined {
  const name = error instanceof DOMException ? error.name : ''
  if (name !== 'NotFoundError' && name !== 'TypeMismatchError') throw error
}
