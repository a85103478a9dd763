import { posix, win32 } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isBlobHash, isCommit, isInnerPath, isRepositoryId } from '../../src/hub/names'

describe('a path inside a repository', () => {
  it.each(['a', 'a.json', 'unet/config.json', 'a/b/c/d', '.gitattributes', '..a', 'a..b', 'ä ö/ü.txt', 'a/10:10.png'])(
    'is %j',
    (path) => {
      expect(isInnerPath(path)).toBe(true)
    },
  )

  it.each([
    '',
    '/',
    '/a',
    'a/',
    'a//b',
    '.',
    '..',
    './a',
    '../a',
    'a/../b',
    'a/..',
    'a\\b',
    'C:a',
    'c:/a',
    'a\0',
    'a\nb',
    'a\x7f',
  ])('is not %j', (path) => {
    expect(isInnerPath(path)).toBe(false)
  })

  it('never leads out of a folder, on any system', () => {
    const part = fc.constantFrom('..', '.', '', 'a', 'b.c', '\\', '..\\', 'C:', '~', ' ', '\0')
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(part, { maxLength: 6 }).map((parts) => parts.join('/')),
    )
    fc.assert(
      fc.property(text, (path) => {
        if (!isInnerPath(path)) return
        expect(posix.join('/root/folder', path).startsWith('/root/folder/')).toBe(true)
        expect(win32.join('D:\\folder', path).startsWith('D:\\folder\\')).toBe(true)
        expect(win32.resolve('D:\\folder', path).startsWith('D:\\folder\\')).toBe(true)
      }),
      { numRuns: 1000 },
    )
  })
})

describe("a repository's id", () => {
  it.each(['gpt2', 'stabilityai/sdxl-turbo', 'a/b', 'A_1.2-3/x', `${'o'.repeat(96)}/${'n'.repeat(96)}`])(
    'is %j',
    (id) => {
      expect(isRepositoryId(id)).toBe(true)
    },
  )

  it('is never a path out of a folder', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[\w./-]{0,12}$/), (id) => {
        if (!isRepositoryId(id)) return
        expect(isInnerPath(id)).toBe(true)
        expect(id.split('/').length).toBeLessThanOrEqual(2)
      }),
    )
  })
})

it('hashes are of the lengths that git and LFS have', () => {
  expect(isCommit('a'.repeat(40))).toBe(true)
  expect(isBlobHash('a'.repeat(40))).toBe(true)
  expect(isBlobHash('0'.repeat(64))).toBe(true)
  for (const text of ['', 'a'.repeat(39), 'A'.repeat(40), 'g'.repeat(40), `${'a'.repeat(40)}\n`, 'a'.repeat(41)]) {
    expect(isCommit(text)).toBe(false)
    expect(isBlobHash(text)).toBe(false)
  }
})
