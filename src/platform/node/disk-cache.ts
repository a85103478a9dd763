import { copyFile, mkdir, readFile, rename, rm, stat, statfs, symlink, unlink, writeFile } from 'node:fs/promises'
import { dirname, relative, resolve } from 'node:path'
import type { FileSource } from '../../core/file'
import type { BlobWriter, Cache, CachedRepository, HubFile, VerifiedFile } from '../../hub/cache'
import { ChecksumMismatchError, DiskFullError } from '../../hub/errors'
import { isCommit } from '../../hub/names'
import { DiskBlob } from './disk-blob'
import { filesBelow, listRepositories, removeRepository, verifyRepositories } from './disk-inventory'
import { DiskLayout } from './disk-layout'
import { withFileLock } from './file-lock'
import { openFile } from './files'

/** Makes a symbolic link; replaced where a file system without them is to be played. */
export type Symlink = (target: string, path: string) => Promise<void>

/** What a file system answers that has no symbolic links, or does not let this user make them. */
const NO_LINKS = new Set(['EPERM', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP', 'EINVAL', 'UNKNOWN'])
/** What it answers when it is full, or the user's part of it. */
const FULL = new Set(['ENOSPC', 'EDQUOT'])

/**
 * A folder with the layout of Python's `huggingface_hub`, shared with it: what either fetched, the other finds. Blobs
 * are named by their hash and linked from the snapshots; where the file system has no symbolic links, a new file lies in
 * the snapshot itself, as Python does it.
 */
export class DiskCache implements Cache {
  readonly name: string
  readonly #layout: DiskLayout
  readonly #symlink: Symlink

  /**
   * @param folder - Absolute, or relative to the working directory; made when something is stored.
   * @param options - `symlink`: makes the links.
   */
  constructor(folder: string, options: { readonly symlink?: Symlink } = {}) {
    this.name = resolve(folder)
    this.#layout = new DiskLayout(this.name)
    this.#symlink = options.symlink ?? ((target, path) => symlink(target, path, 'file'))
  }

  async commitOf(repository: string, revision: string): Promise<string | undefined> {
    const path = this.#layout.ref(repository, revision)
    const commit = (await readFile(path, 'utf8').catch(missing))?.trim()
    return commit !== undefined && isCommit(commit) ? commit : undefined
  }

  async recordCommit(repository: string, revision: string, commit: string): Promise<void> {
    const path = this.#layout.ref(repository, revision)
    if ((await this.commitOf(repository, revision)) === commit) return
    await mkdir(dirname(path), { recursive: true })
    // Moved into place, so that no reader ever sees half of it.
    const draft = `${path}.${process.pid}.tmp`
    await writeFile(draft, commit)
    await rename(draft, path)
  }

  async open(repository: string, commit: string, path: string): Promise<FileSource | undefined> {
    const pointer = this.#layout.pointer(repository, commit, path)
    return (await isFile(pointer)) ? openFile(pointer, `${repository}/${path}`) : undefined
  }

  async files(repository: string, commit: string): Promise<readonly string[]> {
    return (await filesBelow(this.#layout.snapshot(repository, commit))).map((file) => file.path)
  }

  async isAbsent(repository: string, commit: string, path: string): Promise<boolean> {
    return isFile(this.#layout.absence(repository, commit, path))
  }

  async recordAbsent(repository: string, commit: string, path: string): Promise<void> {
    const marker = this.#layout.absence(repository, commit, path)
    await mkdir(dirname(marker), { recursive: true })
    await writeFile(marker, '')
  }

  async store(
    repository: string,
    commit: string,
    file: HubFile,
    fill: (writer: BlobWriter) => Promise<void>,
    signal?: AbortSignal,
  ): Promise<void> {
    const layout = this.#layout
    const pointer = layout.pointer(repository, commit, file.path)
    const blob = layout.blob(repository, file.hash)
    const name = `${file.path} of ${repository}`
    signal?.throwIfAborted()
    if (await isFile(pointer)) return
    try {
      await mkdir(dirname(blob), { recursive: true })
      await mkdir(dirname(pointer), { recursive: true })
      await withFileLock(
        layout.lock(repository, file.hash),
        async (check) => {
          if (await isFile(pointer)) return
          const isNew = !(await isFile(blob))
          if (isNew) {
            const incomplete = layout.incomplete(repository, file.hash)
            await fillFile(incomplete, file, name, fill)
            await check()
            await rename(incomplete, blob)
          }
          await this.#link(blob, pointer, isNew)
        },
        { signal },
      )
    } catch (error) {
      if (!FULL.has(codeOf(error))) throw error
      const remaining = await this.remaining(repository, file)
      throw new DiskFullError(name, this.name, remaining, await this.freeBytes(), { cause: error })
    }
  }

  async remaining(repository: string, file: HubFile): Promise<number> {
    if (await isFile(this.#layout.blob(repository, file.hash))) return 0
    const arrived = await stat(this.#layout.incomplete(repository, file.hash)).catch(missing)
    return arrived === undefined || arrived.size > file.size ? file.size : file.size - arrived.size
  }

  async freeBytes(): Promise<number | undefined> {
    for (let folder = this.name; ; folder = dirname(folder)) {
      const info = await statfs(folder).catch(missing)
      // Some network file systems tell nothing.
      if (info) return info.blocks === 0 ? undefined : info.bavail * info.bsize
      if (folder === dirname(folder)) return undefined
    }
  }

  async list(): Promise<readonly CachedRepository[]> {
    return listRepositories(this.#layout)
  }

  async remove(repository: string, commit?: string): Promise<number> {
    return removeRepository(this.#layout, repository, commit)
  }

  verify(
    repository?: string,
    options: { readonly removeDamaged?: boolean; readonly signal?: AbortSignal } = {},
  ): AsyncIterable<VerifiedFile> {
    return verifyRepositories(this.#layout, repository, options)
  }

  /** Lets the snapshot have the blob: by a link, else by moving a new one and copying one that others may use. */
  async #link(blob: string, pointer: string, isNew: boolean): Promise<void> {
    const target = relative(dirname(pointer), blob)
    try {
      await this.#symlink(target, pointer).catch(async (error) => {
        if (codeOf(error) !== 'EEXIST') throw error
        // A link whose blob is gone, or it would have been found.
        await unlink(pointer)
        await this.#symlink(target, pointer)
      })
    } catch (error) {
      if (!NO_LINKS.has(codeOf(error))) throw error
      if (isNew) return rename(blob, pointer)
      const copy = `${blob}.${process.pid}.tmp`
      try {
        await copyFile(blob, copy)
        await rename(copy, pointer)
      } finally {
        await rm(copy, { force: true })
      }
    }
  }
}

/** Fills the file of an incomplete blob and checks it. What is wrong or does not fit is not kept. */
async function fillFile(
  path: string,
  file: HubFile,
  name: string,
  fill: (writer: BlobWriter) => Promise<void>,
): Promise<void> {
  const writer = await DiskBlob.open(path, file, name)
  let isUseless = false
  try {
    await fill(writer)
    await writer.finish()
  } catch (error) {
    isUseless = error instanceof ChecksumMismatchError || FULL.has(codeOf(error)) || writer.offset === 0
    throw error
  } finally {
    await writer.close().catch(() => {})
    if (isUseless) await rm(path, { force: true })
  }
}

async function isFile(path: string): Promise<boolean> {
  return (await stat(path).catch(missing))?.isFile() ?? false
}

/** Turns a missing file into `undefined`; any other failure stays one. */
function missing(error: unknown): undefined {
  const code = codeOf(error)
  if (code !== 'ENOENT' && code !== 'ENOTDIR') throw error
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}
