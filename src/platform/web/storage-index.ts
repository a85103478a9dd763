import { isBlobHash, isCommit, isInnerPath } from '../../hub/names'
import type { Store } from './storage'
import { withLock } from './storage-lock'

/** A file of a commit: which blob it is. */
interface IndexedFile {
  readonly hash: string
  readonly size: number
}

/** A commit, as far as it is known. */
export interface IndexedCommit {
  readonly files: Map<string, IndexedFile>
  /** Paths of files that the commit is known not to have. */
  readonly absent: Set<string>
}

/** What is known of a repository. */
export interface RepositoryIndex {
  /** The commits that branches and tags point to. */
  readonly refs: Map<string, string>
  readonly commits: Map<string, IndexedCommit>
}

const FILE = 'index.json'

/** Reads the index of the repository in `folder`; one that is not there, or not readable, is empty. */
export async function readIndex(store: Store, folder: string): Promise<RepositoryIndex> {
  const text = await (await store.get(`${folder}/${FILE}`))?.text()
  const index: RepositoryIndex = { refs: new Map(), commits: new Map() }
  const { refs = [], commits = [] } = parse(text)
  for (const [revision, commit] of refs) if (isCommit(commit)) index.refs.set(revision, commit)
  for (const [commit, { files, absent }] of commits) {
    const known = files.filter(([path, { hash }]) => isInnerPath(path) && isBlobHash(hash))
    index.commits.set(commit, { files: new Map(known), absent: new Set(absent) })
  }
  return index
}

/** Changes the index, one caller at a time. */
export async function updateIndex(
  store: Store,
  folder: string,
  change: (index: RepositoryIndex) => void,
): Promise<void> {
  await withLock(`${store.name} ${folder} index`, async () => {
    const index = await readIndex(store, folder)
    change(index)
    const commits = [...index.commits].map(([commit, { files, absent }]) => [
      commit,
      { files: [...files], absent: [...absent] },
    ])
    const text = JSON.stringify({ refs: [...index.refs], commits })
    await store.put(`${folder}/${FILE}`, [new TextEncoder().encode(text)])
  })
}

/** The commit of the index, made when it is not there. */
export function commitIn(index: RepositoryIndex, commit: string): IndexedCommit {
  const known = index.commits.get(commit) ?? { files: new Map(), absent: new Set() }
  index.commits.set(commit, known)
  return known
}

/** The form in the file: maps as lists of pairs, since paths can have the names of an object's own properties. */
interface IndexFile {
  readonly refs?: [string, string][]
  readonly commits?: [string, { readonly files: [string, IndexedFile][]; readonly absent: string[] }][]
}

function parse(text = '{}'): IndexFile {
  try {
    return JSON.parse(text)
  } catch {
    return {}
  }
}
