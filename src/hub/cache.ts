import type { FileSource } from '../core/file'

/** One file of a repository at one commit, as the Hub lists it. */
export interface HubFile {
  /** Path in the repository, `/` between its parts. */
  readonly path: string
  /** Length in bytes. */
  readonly size: number
  /**
   * What names the bytes: their SHA-256 (64 hexadecimal digits) for files in LFS or xet storage, their git SHA-1 (40)
   * for the others. It is the Hub's `ETag` and the name of the blob in the cache.
   */
  readonly hash: string
  /** The file's hash in xet storage, when it is stored there. */
  readonly xetHash?: string
}

/** Takes the bytes of a blob, in order, from where an earlier attempt ended. */
export interface BlobWriter {
  /** How many bytes are there: the next one written has this offset. */
  readonly offset: number
  /** Appends `bytes`, which may be kept and must not be changed any more. More than the file's size are refused. */
  write(bytes: Uint8Array): Promise<void>
  /** Forgets all bytes: `offset` becomes 0. */
  restart(): Promise<void>
}

/** A commit of a repository, as far as it is cached. */
export interface CachedRevision {
  readonly commit: string
  /** Branches and tags that pointed here when they were last looked up. */
  readonly refs: readonly string[]
  /** Paths of the files that are there, sorted. */
  readonly files: readonly string[]
  /** Their bytes, those shared with other revisions included. */
  readonly size: number
}

/** A repository of the cache. */
export interface CachedRepository {
  readonly repository: string
  readonly revisions: readonly CachedRevision[]
  /** Bytes on the disk, blobs that several revisions share counted once. */
  readonly size: number
  /** Bytes of downloads that were broken off and can be resumed; part of `size`. */
  readonly incomplete: number
}

/** What {@link Cache.verify} says about one file. */
export interface VerifiedFile {
  readonly repository: string
  /** The hash that the bytes should have; absent where the cache keeps none (no links on this file system). */
  readonly hash?: string
  /** Where it is used: `commit/path`; empty for a blob that no revision uses. */
  readonly paths: readonly string[]
  /** `ok`; `damaged`: other bytes; `missing`: a link without its blob; `unknown`: no hash to compare with. */
  readonly status: 'ok' | 'damaged' | 'missing' | 'unknown'
}

/**
 * A place that keeps files of the Hub by repository, commit and path. Implementations live in `platform/` and pass the
 * contract suite in `test/contracts`. Repository ids, commits, revisions and paths come in checked (`names.ts`).
 */
export interface Cache {
  /** What errors call it, such as the folder's path. */
  readonly name: string
  /** How to get room in it, when that is another way than on a disk. */
  readonly adviceWhenFull?: string

  /** The commit that a branch or tag pointed to when it was last recorded. */
  commitOf(repository: string, revision: string): Promise<string | undefined>
  /** Records that a branch or tag points to a commit. */
  recordCommit(repository: string, revision: string, commit: string): Promise<void>

  /** The file, when it is there. */
  open(repository: string, commit: string, path: string): Promise<FileSource | undefined>
  /** Paths of the files of a commit that are there, sorted. */
  files(repository: string, commit: string): Promise<readonly string[]>
  /** Whether it is recorded that the commit has no such file. */
  isAbsent(repository: string, commit: string, path: string): Promise<boolean>
  /** Records that the commit has no such file. */
  recordAbsent(repository: string, commit: string, path: string): Promise<void>

  /**
   * Makes sure that the file is there. Unless its bytes are, `fill` is called to write them, from the writer's offset
   * to the file's size; then size and hash are checked, and only then does the blob get its name. One caller fills at a
   * time, also among processes: the others wait and find the file. When `fill` fails, what it wrote is kept for the
   * next attempt.
   *
   * @throws ChecksumMismatchError when the bytes are not the file's; they are thrown away.
   * @throws DiskFullError when they do not fit; they are thrown away.
   */
  store(
    repository: string,
    commit: string,
    file: HubFile,
    fill: (writer: BlobWriter) => Promise<void>,
    signal?: AbortSignal,
  ): Promise<void>
  /** How many bytes {@link Cache.store} would still have to be given. */
  remaining(repository: string, file: HubFile): Promise<number>
  /** How many bytes fit, when the system tells. */
  freeBytes(): Promise<number | undefined>

  /** What is there, by name. */
  list(): Promise<readonly CachedRepository[]>
  /** Removes a repository, or one commit of it with the bytes that no other uses; tells how many bytes that freed. */
  remove(repository: string, commit?: string): Promise<number>
  /**
   * Reads the bytes of a repository, or of all, and compares them with their hashes.
   *
   * @param options - `removeDamaged`: deletes what is damaged or missing, so that the next load fetches it again.
   */
  verify(
    repository?: string,
    options?: { readonly removeDamaged?: boolean; readonly signal?: AbortSignal },
  ): AsyncIterable<VerifiedFile>
}
