import { createReadStream } from 'node:fs'
import { lstat, readdir, readFile, realpath, rm, stat } from 'node:fs/promises'
import { basename, join, relative } from 'node:path'
import { NotFoundError } from '../../core/errors'
import type { CachedRepository, CachedRevision, VerifiedFile } from '../../hub/cache'
import { blobHash, blobNaming } from '../../hub/hash'
import { isBlobHash, isCommit } from '../../hub/names'

import { type DiskLayout, repositoryOf } from './disk-layout'
import { nodeHash } from './file-hash'

/** A file of a snapshot. */
interface SnapshotFile {
  /** Relative to the snapshot, `/` between the parts. */
  readonly path: string
  /** The hash of the blob that it links to; absent for a file that lies in the snapshot itself. */
  readonly hash?: string
  readonly size: number
}

/** The files below a folder whose bytes are there, sorted by path. */
export async function filesBelow(folder: string): Promise<readonly SnapshotFile[]> {
  return (await entriesBelow(folder)).filter((file) => !file.isDangling)
}

/** Files and links below a folder, sorted by path, with those links that lead nowhere. */
async function entriesBelow(folder: string): Promise<(SnapshotFile & { readonly isDangling: boolean })[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])
  const files = entries.flatMap((entry) => {
    if (entry.isDirectory()) return []
    const full = join(entry.parentPath ?? entry.path, entry.name)
    return [describe(full, relative(folder, full).replaceAll('\\', '/'), entry.isSymbolicLink())]
  })
  return (await Promise.all(files)).sort((a, b) => (a.path < b.path ? -1 : 1))
}

async function describe(full: string, path: string, isLink: boolean) {
  const real = isLink ? await realpath(full).catch(() => undefined) : full
  if (real === undefined) return { path, size: 0, isDangling: true }
  const { size } = await stat(real)
  const hash = isLink && isBlobHash(basename(real)) ? basename(real) : undefined
  return { path, hash, size, isDangling: false }
}

/** The repositories of the cache, sorted by name. */
export async function listRepositories(layout: DiskLayout): Promise<readonly CachedRepository[]> {
  const names = await repositoriesOf(layout)
  return Promise.all(names.map((repository) => describeRepository(layout, repository)))
}

async function repositoriesOf(layout: DiskLayout): Promise<string[]> {
  const entries = await readdir(layout.root, { withFileTypes: true }).catch(() => [])
  return entries.flatMap((entry) => (entry.isDirectory() ? (repositoryOf(entry.name) ?? []) : [])).sort()
}

async function describeRepository(layout: DiskLayout, repository: string): Promise<CachedRepository> {
  const refs = await refsOf(layout, repository)
  const blobs = await blobsOf(layout, repository)
  let size = blobs.reduce((sum, blob) => sum + blob.size, 0)
  const revisions: CachedRevision[] = []
  for (const commit of await commitsOf(layout, repository)) {
    const files = await filesBelow(layout.snapshot(repository, commit))
    size += files.reduce((sum, file) => sum + (file.hash === undefined ? file.size : 0), 0)
    revisions.push({
      commit,
      refs: refs.filter((ref) => ref.commit === commit).map((ref) => ref.name),
      files: files.map((file) => file.path),
      size: files.reduce((sum, file) => sum + file.size, 0),
    })
  }
  const incomplete = blobs.reduce((sum, blob) => sum + (blob.name.endsWith('.incomplete') ? blob.size : 0), 0)
  return { repository, revisions, size, incomplete }
}

async function commitsOf(layout: DiskLayout, repository: string): Promise<string[]> {
  const names = await readdir(layout.snapshots(repository)).catch(() => [])
  return names.filter(isCommit).sort()
}

async function blobsOf(layout: DiskLayout, repository: string): Promise<{ name: string; size: number }[]> {
  const folder = layout.blobs(repository)
  const names = (await readdir(folder).catch(() => [])).sort()
  return Promise.all(names.map(async (name) => ({ name, size: (await lstat(join(folder, name))).size })))
}

async function refsOf(layout: DiskLayout, repository: string): Promise<{ name: string; commit: string }[]> {
  const folder = layout.refs(repository)
  const files = await filesBelow(folder)
  return Promise.all(
    files.map(async ({ path }) => ({ name: path, commit: (await readFile(join(folder, path), 'utf8')).trim() })),
  )
}

/**
 * Removes a repository, or one commit with its refs and the blobs that no other uses.
 *
 * @returns How many bytes that freed.
 * @throws NotFoundError when it is not in the cache.
 */
export async function removeRepository(layout: DiskLayout, repository: string, commit?: string): Promise<number> {
  const commits = await commitsOf(layout, repository)
  const before = await describeRepository(layout, repository)
  const exists = commit === undefined ? await isFolder(layout.repository(repository)) : commits.includes(commit)
  if (!exists) {
    const what = commit === undefined ? repository : `${repository} at ${commit}`
    throw new NotFoundError('cache', `${what} is not in the cache ${layout.root}`)
  }
  if (commit === undefined || commits.length === 1) {
    await rm(layout.repository(repository), { recursive: true, force: true })
    await rm(layout.locks(repository), { recursive: true, force: true })
    return before.size
  }
  await rm(layout.snapshot(repository, commit), { recursive: true })
  await rm(layout.absences(repository, commit), { recursive: true, force: true })
  for (const ref of await refsOf(layout, repository)) {
    if (ref.commit === commit) await rm(layout.ref(repository, ref.name), { force: true })
  }
  const uses = await usesOf(layout, repository)
  for (const { name } of await blobsOf(layout, repository)) {
    if (isBlobHash(name) && !uses.has(name)) await rm(layout.blob(repository, name), { force: true })
  }
  return before.size - (await describeRepository(layout, repository)).size
}

/** Which `commit/path` use each blob. */
async function usesOf(layout: DiskLayout, repository: string): Promise<Map<string, string[]>> {
  const uses = new Map<string, string[]>()
  for (const commit of await commitsOf(layout, repository)) {
    for (const { path, hash } of await filesBelow(layout.snapshot(repository, commit))) {
      if (hash !== undefined) uses.set(hash, [...(uses.get(hash) ?? []), `${commit}/${path}`])
    }
  }
  return uses
}

/** Hashes the blobs of a repository, or of all. */
export async function* verifyRepositories(
  layout: DiskLayout,
  only: string | undefined,
  options: { readonly removeDamaged?: boolean; readonly signal?: AbortSignal },
): AsyncGenerator<VerifiedFile> {
  const repositories = await repositoriesOf(layout)
  if (only !== undefined && !repositories.includes(only)) {
    throw new NotFoundError('cache', `${only} is not in the cache ${layout.root}`)
  }
  for (const repository of only === undefined ? repositories : [only]) {
    const snapshots = layout.snapshots(repository)
    const remove = async (paths: readonly string[]) => {
      if (!options.removeDamaged) return
      for (const path of paths) await rm(path, { force: true })
    }
    const uses = await usesOf(layout, repository)
    for (const { name: hash } of await blobsOf(layout, repository)) {
      if (!isBlobHash(hash)) continue
      const path = layout.blob(repository, hash)
      const status = (await isIntact(path, hash, options.signal)) ? 'ok' : 'damaged'
      const paths = uses.get(hash) ?? []
      if (status === 'damaged') await remove([path, ...paths.map((use) => join(snapshots, use))])
      yield { repository, hash, paths, status }
    }
    for (const commit of await commitsOf(layout, repository)) {
      for (const file of await entriesBelow(layout.snapshot(repository, commit))) {
        if (file.hash !== undefined) continue
        const path = `${commit}/${file.path}`
        if (file.isDangling) await remove([join(snapshots, path)])
        yield { repository, paths: [path], status: file.isDangling ? 'missing' : 'unknown' }
      }
    }
  }
}

async function isIntact(path: string, name: string, signal?: AbortSignal): Promise<boolean> {
  const hash = blobHash(nodeHash, blobNaming(name, (await stat(path)).size))
  for await (const bytes of createReadStream(path, { highWaterMark: 2 ** 20, signal })) hash.update(bytes)
  return hash.digest() === name
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (info) => info.isDirectory(),
    () => false,
  )
}
