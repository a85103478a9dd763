import type { FileSource } from '../../core/file'
import type { BlobWriter, Cache, CachedRepository, HubFile, VerifiedFile } from '../../hub/cache'
import { ChecksumMismatchError, DiskFullError } from '../../hub/errors'
import { checkPath, checkRepositoryId, checkRevision } from '../../hub/names'
import { freeBytes, persistOnce, type Store } from './storage'
import { StoredBlob } from './storage-blob'
import { commitIn, readIndex, updateIndex } from './storage-index'
import { listRepositories, removeRepository, verifyRepositories } from './storage-inventory'
import { blobFolder, checkCommit, repositoryFolder } from './storage-layout'
import { withLock } from './storage-lock'
import { completeness, partsSize, partsSource } from './storage-parts'

const ADVICE = 'Remove models that you no longer need, or give the browser more room'

/** The Hub's files in the browser's storage: each blob once, in parts, and an index a repository. */
export class WebCache implements Cache {
  readonly name: string
  readonly adviceWhenFull = ADVICE

  constructor(private readonly place: Store) {
    this.name = place.name
  }

  async commitOf(repository: string, revision: string): Promise<string | undefined> {
    checkRevision(revision)
    return (await readIndex(this.place, repositoryFolder(repository))).refs.get(revision)
  }

  async recordCommit(repository: string, revision: string, commit: string): Promise<void> {
    if ((await this.commitOf(repository, revision)) === checkCommit(commit)) return
    await updateIndex(this.place, repositoryFolder(repository), ({ refs }) => refs.set(revision, commit))
  }

  async open(repository: string, commit: string, path: string): Promise<FileSource | undefined> {
    const file = (await this.commit(repository, commit, path))?.files.get(path)
    if (!file || !(await this.isComplete(repository, file.hash))) return undefined
    return partsSource(this.place, blobFolder(repository, file.hash), file.size, `${repository}/${path}`)
  }

  async files(repository: string, commit: string): Promise<readonly string[]> {
    const files = [...((await this.commit(repository, commit))?.files ?? [])]
    const there = await Promise.all(files.map(([, { hash }]) => this.isComplete(repository, hash)))
    return files.flatMap(([path], i) => (there[i] ? [path] : [])).sort()
  }

  async isAbsent(repository: string, commit: string, path: string): Promise<boolean> {
    return (await this.commit(repository, commit, path))?.absent.has(path) ?? false
  }

  async recordAbsent(repository: string, commit: string, path: string): Promise<void> {
    if (await this.isAbsent(repository, commit, path)) return
    await updateIndex(this.place, repositoryFolder(repository), (index) => commitIn(index, commit).absent.add(path))
  }

  async store(
    repository: string,
    commit: string,
    file: HubFile,
    fill: (writer: BlobWriter) => Promise<void>,
    signal?: AbortSignal,
  ): Promise<void> {
    const folder = blobFolder(repository, file.hash)
    const name = `${file.path} of ${repository}`
    signal?.throwIfAborted()
    if (await this.open(repository, commit, file.path)) return
    void persistOnce()
    const { hash, size, path } = file
    try {
      await withLock(
        `${this.name} ${folder}`,
        async () => {
          if (!(await this.isComplete(repository, hash))) await fillBlob(this.place, folder, file, name, fill)
          await updateIndex(this.place, repositoryFolder(repository), (index) => {
            commitIn(index, commit).files.set(path, { hash, size })
          })
        },
        signal,
      )
    } catch (error) {
      if (!isFull(error)) throw error
      throw new DiskFullError(name, this.name, size, undefined, { cause: error, advice: ADVICE })
    }
  }

  async remaining(repository: string, { hash, size }: HubFile): Promise<number> {
    if (await this.isComplete(repository, hash)) return 0
    const arrived = await partsSize(this.place, blobFolder(repository, hash))
    return arrived > size ? size : size - arrived
  }

  freeBytes(): Promise<number | undefined> {
    return freeBytes()
  }

  list(): Promise<readonly CachedRepository[]> {
    return listRepositories(this.place)
  }

  async remove(repository: string, commit?: string): Promise<number> {
    checkRepositoryId(repository)
    return removeRepository(this.place, repository, commit)
  }

  verify(
    repository?: string,
    options: { readonly removeDamaged?: boolean; readonly signal?: AbortSignal } = {},
  ): AsyncIterable<VerifiedFile> {
    return verifyRepositories(this.place, repository, options)
  }

  private async commit(repository: string, commit: string, path?: string) {
    checkCommit(commit)
    if (path !== undefined) checkPath(path, repository)
    return (await readIndex(this.place, repositoryFolder(repository))).commits.get(commit)
  }

  private async isComplete(repository: string, hash: string): Promise<boolean> {
    return (await completeness(this.place, blobFolder(repository, hash))) !== undefined
  }
}

/** Fills a blob and checks it. What is wrong or does not fit is not kept. */
async function fillBlob(
  store: Store,
  folder: string,
  file: HubFile,
  name: string,
  fill: (writer: BlobWriter) => Promise<void>,
): Promise<void> {
  const writer = await StoredBlob.open(store, folder, file, name)
  try {
    await fill(writer)
    await writer.finish()
  } catch (error) {
    if (error instanceof ChecksumMismatchError || isFull(error)) await store.remove(folder)
    // What the next attempt could go on from is kept, as far as it can be.
    else await writer.keep().catch(() => store.remove(folder))
    if (!isFull(error)) throw error
    // Browsers do not tell the truth about their quota: what did fit is what there was.
    throw new DiskFullError(name, store.name, file.size, writer.stored, { cause: error, advice: ADVICE })
  }
}

function isFull(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'QuotaExceededError'
}
