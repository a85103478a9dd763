import { mkdtemp, readdir, readlink, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { afterEach, beforeEach, expect } from 'vitest'
import type { FileSource } from '../../src/core/file'
import type { HubRepository } from '../../src/hub/repository'
import { hubRepository, type RepositoryOptions } from '../../src/hub/resolve'
import { DiskCache } from '../../src/platform/node/disk-cache'
import { HubServer } from './server'

/** A server and an empty cache folder for each test. */
export interface Workspace {
  server: HubServer
  /** The cache's folder. */
  folder: string
  cache: DiskCache
  /** A repository of the server; short waits, so that tests are quick. */
  open(id: string, options?: RepositoryOptions): HubRepository
}

export function useWorkspace(): Workspace {
  const workspace: Workspace = {
    server: undefined as never,
    folder: '',
    cache: undefined as never,
    open(id, options = {}) {
      const { server, cache } = workspace
      return hubRepository(id, cache, { endpoint: server.endpoint, timeout: 2000, retryDelay: 5, ...options })
    },
  }
  beforeEach(async () => {
    workspace.server = await HubServer.start()
    workspace.folder = await mkdtemp(join(tmpdir(), 'latentkit-hub-'))
    workspace.cache = new DiskCache(workspace.folder)
  })
  afterEach(async () => {
    await workspace.server.stop()
    await rm(workspace.folder, { recursive: true, force: true })
  })
  return workspace
}

/** All bytes of a file that must be there. */
export async function contents(file: Promise<FileSource | undefined> | FileSource | undefined): Promise<Uint8Array> {
  const source = await file
  if (source === undefined) throw new Error('there is no such file')
  return source.read(0, source.size)
}

/** That two byte arrays are equal, quicker than a comparison that looks for the differences. */
export function expectSame(got: Uint8Array, expected: Uint8Array): void {
  expect(got.length).toBe(expected.length)
  expect(Buffer.compare(got, expected)).toBe(0)
}

/** Everything below a folder, sorted: a link with its target. */
export async function tree(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const lines = entries
    .filter((entry) => !entry.isDirectory())
    .map(async (entry) => {
      const path = join(entry.parentPath, entry.name)
      return relative(folder, path) + (entry.isSymbolicLink() ? ` -> ${await readlink(path)}` : '')
    })
  return (await Promise.all(lines)).sort()
}

/** Bytes that differ from file to file and do not repeat. */
export function noise(length: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(length)
  let state = seed
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    bytes[i] = state >>> 24
  }
  return bytes
}

/** What a promise was rejected with. */
export async function failure(promise: Promise<unknown>): Promise<Error & { code?: string }> {
  try {
    await promise
  } catch (error) {
    if (error instanceof Error) return error
    throw new Error(`rejected with ${String(error)}, which is no Error`)
  }
  throw new Error('it was not rejected')
}
