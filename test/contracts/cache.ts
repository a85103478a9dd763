import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { BlobWriter, Cache, HubFile } from '../../src/hub/cache'

/** What the suite needs to know of the implementation. */
export interface CacheUnderTest {
  /** An empty cache; a second call with the same `place` opens the same one again. */
  create(place: string): Promise<Cache>
  /** Whether blobs keep their hash, so that `verify` can tell. */
  readonly keepsHashes: boolean
}

const REPOSITORY = 'owner/name'
const COMMIT = 'a'.repeat(40)
const OTHER_COMMIT = 'b'.repeat(40)
const bytesOf = (text: string) => new TextEncoder().encode(text)

function lfsFile(path: string, text: string): HubFile {
  const bytes = bytesOf(text)
  return { path, size: bytes.length, hash: createHash('sha256').update(bytes).digest('hex') }
}

function gitFile(path: string, text: string): HubFile {
  const bytes = bytesOf(text)
  const hash = createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex')
  return { path, size: bytes.length, hash }
}

/** Writes the rest of a text, in pieces. */
const fillWith = (text: string) => async (writer: BlobWriter) => {
  const bytes = bytesOf(text)
  while (writer.offset < bytes.length) await writer.write(bytes.slice(writer.offset, writer.offset + 5))
}

const never = async () => {
  throw new Error('there was no need to fill it')
}

async function textOf(cache: Cache, path: string, commit = COMMIT): Promise<string | undefined> {
  const file = await cache.open(REPOSITORY, commit, path)
  return file && new TextDecoder().decode(await file.read(0, file.size))
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const item of items) list.push(item)
  return list
}

/** What every {@link Cache} must do. */
export function cacheContract(name: string, underTest: CacheUnderTest): void {
  describe(`${name} keeps the contract of a cache:`, () => {
    let count = 0
    const create = () => underTest.create(String(count++))

    it('an empty one has nothing', async () => {
      const cache = await create()
      expect(await cache.commitOf(REPOSITORY, 'main')).toBeUndefined()
      expect(await cache.open(REPOSITORY, COMMIT, 'a.json')).toBeUndefined()
      expect(await cache.files(REPOSITORY, COMMIT)).toEqual([])
      expect(await cache.isAbsent(REPOSITORY, COMMIT, 'a.json')).toBe(false)
      expect(await cache.list()).toEqual([])
      expect(await all(cache.verify())).toEqual([])
      expect(await cache.remaining(REPOSITORY, lfsFile('a', 'four'))).toBe(4)
    })

    it.each([
      ['a large file', lfsFile('unet/model.safetensors', 'some weights'), 'some weights'],
      ['a small one', gitFile('config.json', '{"a": 1}'), '{"a": 1}'],
      ['an empty one', gitFile('empty.txt', ''), ''],
      ['one deep down', lfsFile('a/b/c/d.bin', 'deep'), 'deep'],
    ])('%s comes back as it was stored', async (_, file, text) => {
      const cache = await create()
      await cache.store(REPOSITORY, COMMIT, file, fillWith(text))
      expect(await textOf(cache, file.path)).toBe(text)
      expect((await cache.open(REPOSITORY, COMMIT, file.path))?.size).toBe(file.size)
      expect(await cache.files(REPOSITORY, COMMIT)).toEqual([file.path])
      expect(await cache.open(REPOSITORY, OTHER_COMMIT, file.path)).toBeUndefined()
      expect(await cache.open('owner/other', COMMIT, file.path)).toBeUndefined()
      await cache.store(REPOSITORY, COMMIT, file, never)
    })

    it('what is stored is there for the next who opens it', async () => {
      const place = String(count++)
      const file = lfsFile('a.bin', 'kept')
      const first = await underTest.create(place)
      await first.store(REPOSITORY, COMMIT, file, fillWith('kept'))
      await first.recordCommit(REPOSITORY, 'main', COMMIT)
      const second = await underTest.create(place)
      expect(await textOf(second, 'a.bin')).toBe('kept')
      expect(await second.commitOf(REPOSITORY, 'main')).toBe(COMMIT)
    })

    it('the same bytes under another path are not fetched again at the same commit', async () => {
      const cache = await create()
      await cache.store(REPOSITORY, COMMIT, lfsFile('a.bin', 'twins'), fillWith('twins'))
      let fills = 0
      const fill = async (writer: BlobWriter) => {
        fills++
        await fillWith('twins')(writer)
      }
      await cache.store(REPOSITORY, COMMIT, lfsFile('b/c.bin', 'twins'), fill)
      expect(await textOf(cache, 'b/c.bin')).toBe('twins')
      expect(fills).toBe(underTest.keepsHashes ? 0 : 1)
    })

    it('what arrived before a failure is kept, and the next attempt begins there', async () => {
      const cache = await create()
      const file = lfsFile('a.bin', '0123456789')
      const broken = new Error('the line broke')
      const half = async (writer: BlobWriter) => {
        await writer.write(bytesOf('01234'))
        throw broken
      }
      await expect(cache.store(REPOSITORY, COMMIT, file, half)).rejects.toBe(broken)
      expect(await cache.open(REPOSITORY, COMMIT, 'a.bin')).toBeUndefined()
      expect(await cache.files(REPOSITORY, COMMIT)).toEqual([])
      expect(await cache.remaining(REPOSITORY, file)).toBe(5)
      await cache.store(REPOSITORY, COMMIT, file, async (writer) => {
        expect(writer.offset).toBe(5)
        await writer.write(bytesOf('56789'))
      })
      expect(await textOf(cache, 'a.bin')).toBe('0123456789')
      expect(await cache.remaining(REPOSITORY, file)).toBe(underTest.keepsHashes ? 0 : 10)
    })

    it('a writer can begin anew', async () => {
      const cache = await create()
      await cache.store(REPOSITORY, COMMIT, lfsFile('a.bin', 'right'), async (writer) => {
        await writer.write(bytesOf('wrng'))
        await writer.restart()
        expect(writer.offset).toBe(0)
        await fillWith('right')(writer)
      })
      expect(await textOf(cache, 'a.bin')).toBe('right')
    })

    it.each([
      ['other bytes', 'wrong', /hash/],
      ['too few', 'rig', /3 bytes/],
      ['too many', 'right and more', /more than 5 bytes/],
    ])('%s never get the name of the file, and are thrown away', async (_, text, message) => {
      const cache = await create()
      const file = lfsFile('a.bin', 'right')
      const fill = (writer: BlobWriter) => writer.write(bytesOf(text))
      const storing = cache.store(REPOSITORY, COMMIT, file, fill)
      await expect(storing).rejects.toMatchObject({ code: 'ERR_HUB_CHECKSUM', message: expect.stringMatching(message) })
      expect(await cache.open(REPOSITORY, COMMIT, 'a.bin')).toBeUndefined()
      expect(await cache.remaining(REPOSITORY, file)).toBe(5)
    })

    it('who comes while it is filled waits, and finds it', async () => {
      const cache = await create()
      const file = lfsFile('a.bin', 'shared')
      let fills = 0
      const fill = async (writer: BlobWriter) => {
        fills++
        await new Promise((resolve) => setTimeout(resolve, 50))
        await fillWith('shared')(writer)
      }
      await Promise.all([1, 2, 3].map(() => cache.store(REPOSITORY, COMMIT, file, fill)))
      expect(fills).toBe(1)
      expect(await textOf(cache, 'a.bin')).toBe('shared')
    })

    it('who waits takes over when the other fails, from where that one was', async () => {
      const cache = await create()
      const file = lfsFile('a.bin', '0123456789')
      let begin = () => {}
      const begun = new Promise<void>((resolve) => {
        begin = resolve
      })
      const first = cache.store(REPOSITORY, COMMIT, file, async (writer) => {
        begin()
        await writer.write(bytesOf('0123'))
        await new Promise((resolve) => setTimeout(resolve, 50))
        throw new Error('gone')
      })
      await begun
      const second = cache.store(REPOSITORY, COMMIT, file, async (writer) => {
        expect(writer.offset).toBe(4)
        await writer.write(bytesOf('456789'))
      })
      await expect(first).rejects.toThrow('gone')
      await second
      expect(await textOf(cache, 'a.bin')).toBe('0123456789')
    })

    it('who waits can give up', async () => {
      const cache = await create()
      const file = lfsFile('a.bin', 'shared')
      let finish = () => {}
      let begin = () => {}
      const begun = new Promise<void>((resolve) => {
        begin = resolve
      })
      const first = cache.store(REPOSITORY, COMMIT, file, async (writer) => {
        await new Promise<void>((resolve) => {
          finish = resolve
          begin()
        })
        await fillWith('shared')(writer)
      })
      await begun
      const controller = new AbortController()
      const second = cache.store(REPOSITORY, COMMIT, file, never, controller.signal)
      const reason = new Error('enough')
      controller.abort(reason)
      await expect(second).rejects.toBe(reason)
      finish()
      await first
    })

    it('branches and tags are remembered, and move', async () => {
      const cache = await create()
      for (const revision of ['main', 'v1.0', 'refs/pr/2', 'feature/x']) {
        await cache.recordCommit(REPOSITORY, revision, COMMIT)
        expect(await cache.commitOf(REPOSITORY, revision)).toBe(COMMIT)
      }
      await cache.recordCommit(REPOSITORY, 'main', OTHER_COMMIT)
      expect(await cache.commitOf(REPOSITORY, 'main')).toBe(OTHER_COMMIT)
      expect(await cache.commitOf(REPOSITORY, 'v1.0')).toBe(COMMIT)
    })

    it('what a commit does not have is remembered', async () => {
      const cache = await create()
      await cache.recordAbsent(REPOSITORY, COMMIT, 'unet/none.json')
      expect(await cache.isAbsent(REPOSITORY, COMMIT, 'unet/none.json')).toBe(true)
      expect(await cache.isAbsent(REPOSITORY, COMMIT, 'unet/other.json')).toBe(false)
      expect(await cache.isAbsent(REPOSITORY, OTHER_COMMIT, 'unet/none.json')).toBe(false)
      expect(await cache.files(REPOSITORY, COMMIT)).toEqual([])
    })

    it('it lists what it has', async () => {
      const cache = await create()
      await cache.store(REPOSITORY, COMMIT, lfsFile('b.bin', '12345'), fillWith('12345'))
      await cache.store(REPOSITORY, COMMIT, lfsFile('a/c.bin', '678'), fillWith('678'))
      await cache.store('alone', OTHER_COMMIT, lfsFile('d.bin', '9'), fillWith('9'))
      await cache.recordCommit(REPOSITORY, 'main', COMMIT)
      await cache.recordCommit(REPOSITORY, 'refs/pr/1', COMMIT)
      const breaking = cache.store(REPOSITORY, COMMIT, lfsFile('e.bin', '0123'), async (writer) => {
        await writer.write(bytesOf('01'))
        throw new Error('broken')
      })
      await expect(breaking).rejects.toThrow('broken')
      expect(await cache.list()).toEqual([
        {
          repository: 'alone',
          revisions: [{ commit: OTHER_COMMIT, refs: [], files: ['d.bin'], size: 1 }],
          size: 1,
          incomplete: 0,
        },
        {
          repository: REPOSITORY,
          revisions: [{ commit: COMMIT, refs: ['main', 'refs/pr/1'], files: ['a/c.bin', 'b.bin'], size: 8 }],
          size: 10,
          incomplete: 2,
        },
      ])
    })

    it('it removes a commit with what no other uses', async () => {
      const cache = await create()
      const shared = lfsFile('shared.bin', 'shared')
      for (const commit of [COMMIT, OTHER_COMMIT]) {
        await cache.store(REPOSITORY, commit, shared, fillWith('shared'))
        const own = lfsFile('own.bin', commit)
        await cache.store(REPOSITORY, commit, own, fillWith(commit))
      }
      await cache.recordCommit(REPOSITORY, 'old', COMMIT)
      await cache.recordCommit(REPOSITORY, 'main', OTHER_COMMIT)
      expect(await cache.remove(REPOSITORY, COMMIT)).toBe(underTest.keepsHashes ? 40 : 46)
      expect(await cache.files(REPOSITORY, COMMIT)).toEqual([])
      expect(await cache.commitOf(REPOSITORY, 'old')).toBeUndefined()
      expect(await textOf(cache, 'shared.bin', OTHER_COMMIT)).toBe('shared')
      expect(await textOf(cache, 'own.bin', OTHER_COMMIT)).toBe(OTHER_COMMIT)
      expect(await cache.remove(REPOSITORY, OTHER_COMMIT)).toBe(46)
      expect(await cache.list()).toEqual([])
    })

    it('it removes a repository, and no other', async () => {
      const cache = await create()
      await cache.store(REPOSITORY, COMMIT, lfsFile('a.bin', '12345'), fillWith('12345'))
      await cache.store('owner/name2', COMMIT, lfsFile('a.bin', '12345'), fillWith('12345'))
      expect(await cache.remove(REPOSITORY)).toBe(5)
      expect((await cache.list()).map((one) => one.repository)).toEqual(['owner/name2'])
      await expect(cache.remove(REPOSITORY)).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' })
      await expect(cache.remove('owner/name2', OTHER_COMMIT)).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' })
    })

    it('it verifies what it has', async () => {
      const cache = await create()
      await cache.store(REPOSITORY, COMMIT, lfsFile('a.bin', '12345'), fillWith('12345'))
      await cache.store(REPOSITORY, COMMIT, gitFile('b.json', '{}'), fillWith('{}'))
      const verified = await all(cache.verify())
      expect(verified.map((file) => file.status)).toEqual(underTest.keepsHashes ? ['ok', 'ok'] : ['unknown', 'unknown'])
      expect(verified.flatMap((file) => file.paths).sort()).toEqual([`${COMMIT}/a.bin`, `${COMMIT}/b.json`])
      expect(await all(cache.verify(REPOSITORY))).toEqual(verified)
      await expect(all(cache.verify('owner/none'))).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' })
    })

    it('names that reach outside are refused', async () => {
      const cache = await create()
      const refused = { code: 'ERR_INVALID_ARGUMENT' }
      for (const path of ['../a', '/a', 'a/../../b', 'a\\..\\b', '']) {
        await expect(cache.open(REPOSITORY, COMMIT, path)).rejects.toMatchObject(refused)
        await expect(cache.recordAbsent(REPOSITORY, COMMIT, path)).rejects.toMatchObject(refused)
        await expect(cache.store(REPOSITORY, COMMIT, lfsFile(path, 'x'), never)).rejects.toMatchObject(refused)
      }
      for (const repository of ['..', '../..', 'a/b/c', '/etc']) {
        await expect(cache.open(repository, COMMIT, 'a')).rejects.toMatchObject(refused)
        await expect(cache.remove(repository)).rejects.toMatchObject(refused)
      }
      for (const commit of ['..', 'main', '../../..']) {
        await expect(cache.open(REPOSITORY, commit, 'a')).rejects.toMatchObject(refused)
        await expect(cache.files(REPOSITORY, commit)).rejects.toMatchObject(refused)
      }
      for (const revision of ['..', '../x', '/x', '']) {
        await expect(cache.commitOf(REPOSITORY, revision)).rejects.toMatchObject(refused)
        await expect(cache.recordCommit(REPOSITORY, revision, COMMIT)).rejects.toMatchObject(refused)
      }
      const nameless = { ...lfsFile('a', 'x'), hash: '../../x' }
      await expect(cache.store(REPOSITORY, COMMIT, nameless, never)).rejects.toMatchObject(refused)
    })
  })
}
