import { NotFoundError } from '../../core/errors'
import type { CachedRepository, VerifiedFile } from '../../hub/cache'
import { isBlobHash } from '../../hub/names'
import type { Store } from './storage'
import { startHash } from './storage-hash'
import { type RepositoryIndex, readIndex, updateIndex } from './storage-index'
import { blobFolder, checkCommit, HUB, repositoryFolder, repositoryOf } from './storage-layout'
import { completeness, partsSize, readParts } from './storage-parts'

/** A blob of a repository, as far as it is there. */
interface StoredBlobInfo {
  readonly hash: string
  readonly size: number
  readonly isComplete: boolean
}

/** The repositories of the storage, sorted by name. */
export async function listRepositories(store: Store): Promise<readonly CachedRepository[]> {
  const described: CachedRepository[] = []
  for (const repository of await repositoriesOf(store)) described.push(await describeRepository(store, repository))
  return described
}

async function repositoriesOf(store: Store): Promise<string[]> {
  const folders = new Set((await store.list(HUB)).map((path) => path.split('/')[0]))
  return [...folders].flatMap((folder) => repositoryOf(folder) ?? []).sort()
}

async function describeRepository(store: Store, repository: string): Promise<CachedRepository> {
  const { refs, commits } = await readIndex(store, repositoryFolder(repository))
  const blobs = await blobsOf(store, repository)
  const complete = new Set(blobs.flatMap(({ hash, isComplete }) => (isComplete ? [hash] : [])))
  const revisions = [...commits].flatMap(([commit, { files }]) => {
    const there = [...files].filter(([, { hash }]) => complete.has(hash))
    const names = [...refs].flatMap(([name, target]) => (target === commit ? [name] : []))
    if (there.length === 0 && names.length === 0) return []
    const size = there.reduce((sum, [, file]) => sum + file.size, 0)
    return [{ commit, refs: names.sort(), files: there.map(([path]) => path).sort(), size }]
  })
  const sizeOf = (some: readonly StoredBlobInfo[]) => some.reduce((sum, { size }) => sum + size, 0)
  const incomplete = sizeOf(blobs.filter(({ isComplete }) => !isComplete))
  return {
    repository,
    revisions: revisions.sort((a, b) => (a.commit < b.commit ? -1 : 1)),
    size: sizeOf(blobs),
    incomplete,
  }
}

async function blobsOf(store: Store, repository: string): Promise<StoredBlobInfo[]> {
  const names = new Set((await store.list(repositoryFolder(repository))).map((path) => path.split('/')[0]))
  const hashes = [...names].filter(isBlobHash).sort()
  return Promise.all(
    hashes.map(async (hash) => {
      const folder = blobFolder(repository, hash)
      const isComplete = (await completeness(store, folder)) !== undefined
      return { hash, isComplete, size: await partsSize(store, folder) }
    }),
  )
}

/**
 * Removes a repository, or one commit with its refs and the blobs that no other uses.
 *
 * @returns How many bytes that freed.
 * @throws NotFoundError when it is not in the storage.
 */
export async function removeRepository(store: Store, repository: string, commit?: string): Promise<number> {
  const folder = repositoryFolder(repository)
  const { commits } = await readIndex(store, folder)
  if (commit !== undefined) checkCommit(commit)
  const exists = commit === undefined ? (await store.list(folder)).length > 0 : commits.has(commit)
  if (!exists) {
    const what = commit === undefined ? repository : `${repository} at ${commit}`
    throw new NotFoundError('storage', `${what} is not in ${store.name}`)
  }
  const blobs = await blobsOf(store, repository)
  const sizeOf = (some: readonly StoredBlobInfo[]) => some.reduce((sum, { size }) => sum + size, 0)
  if (commit === undefined || commits.size === 1) {
    await store.remove(folder)
    return sizeOf(blobs)
  }
  let left = new Map<string, string[]>()
  await updateIndex(store, folder, (index) => {
    index.commits.delete(commit)
    for (const [name, target] of index.refs) if (target === commit) index.refs.delete(name)
    left = usesOf(index)
  })
  const unused = blobs.filter(({ hash, isComplete }) => isComplete && !left.has(hash))
  for (const { hash } of unused) await store.remove(blobFolder(repository, hash))
  return sizeOf(unused)
}

/** Which `commit/path` use each blob. */
function usesOf({ commits }: RepositoryIndex): Map<string, string[]> {
  const uses = new Map<string, string[]>()
  for (const [commit, { files }] of commits) {
    for (const [path, { hash }] of files) uses.set(hash, [...(uses.get(hash) ?? []), `${commit}/${path}`])
  }
  return uses
}

/** Hashes the blobs of a repository, or of all. */
export async function* verifyRepositories(
  store: Store,
  only: string | undefined,
  options: { readonly removeDamaged?: boolean; readonly signal?: AbortSignal },
): AsyncGenerator<VerifiedFile> {
  const repositories = await repositoriesOf(store)
  if (only !== undefined && !repositories.includes(only)) {
    throw new NotFoundError('storage', `${only} is not in ${store.name}`)
  }
  for (const repository of only === undefined ? repositories : [only]) {
    const uses = usesOf(await readIndex(store, repositoryFolder(repository)))
    const bad = new Set<string>()
    for (const { hash, isComplete, size } of await blobsOf(store, repository)) {
      if (!isComplete) continue
      const isIntact = (await hashOf(store, blobFolder(repository, hash), hash, size, options.signal)) === hash
      const paths = uses.get(hash) ?? []
      uses.delete(hash)
      if (!isIntact) bad.add(hash)
      yield { repository, hash, paths, status: isIntact ? 'ok' : 'damaged' }
    }
    for (const [hash, paths] of uses) {
      bad.add(hash)
      yield { repository, hash, paths, status: 'missing' }
    }
    if (options.removeDamaged && bad.size > 0) await forget(store, repository, bad)
  }
}

async function hashOf(store: Store, folder: string, name: string, size: number, signal?: AbortSignal): Promise<string> {
  const hash = await startHash(name, size)
  for await (const bytes of readParts(store, folder)) {
    signal?.throwIfAborted()
    hash.update(bytes)
  }
  return hash.digest()
}

/** Removes blobs, and the files that are such from the index. */
async function forget(store: Store, repository: string, hashes: ReadonlySet<string>): Promise<void> {
  for (const hash of hashes) await store.remove(blobFolder(repository, hash))
  await updateIndex(store, repositoryFolder(repository), ({ commits }) => {
    for (const { files } of commits.values()) {
      for (const [path, { hash }] of files) if (hashes.has(hash)) files.delete(path)
    }
  })
}
