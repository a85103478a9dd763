import { readdirSync } from 'node:fs'
import { mkdir, mkdtemp, realpath, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FormatError, InvalidArgumentError, NotFoundError } from '../../../src/core/errors'
import { localRepository, openFile } from '../../../src/platform/node/files'

let folder: string
beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'latentkit-files-')))
  await writeFile(join(folder, 'abc'), 'abcdef')
})
afterEach(() => rm(folder, { recursive: true }))

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)

describe('openFile', () => {
  it('reads at any offset, into memory of its own', async () => {
    const file = await openFile(join(folder, 'abc'))
    expect([file.size, file.path, file.name]).toEqual([6, join(folder, 'abc'), join(folder, 'abc')])
    const bytes = await file.read(2, 3)
    expect(text(bytes)).toBe('cde')
    expect(bytes.buffer.byteLength).toBe(3)
    expect(text(await file.read(6, 0))).toBe('')
  })

  it('refuses a range beyond the end before it allocates', async () => {
    const file = await openFile(join(folder, 'abc'), 'unet/abc')
    await expect(file.read(4, 3)).rejects.toThrow('[file] unet/abc is too short: got 6 bytes, expected at least 7')
    await expect(file.read(0, 2 ** 50)).rejects.toThrow(FormatError)
    await expect(file.read(-1, 3)).rejects.toThrow(InvalidArgumentError)
    await expect(file.read(0, Number.NaN)).rejects.toThrow(InvalidArgumentError)
  })

  it('notices a file that became shorter', async () => {
    const file = await openFile(join(folder, 'abc'))
    await truncate(join(folder, 'abc'), 3)
    await expect(file.read(0, 6)).rejects.toThrow('became shorter: got 3 bytes, expected 6')
  })

  it('refuses what is missing or no file', async () => {
    await expect(openFile(join(folder, 'none'))).rejects.toThrow(NotFoundError)
    await expect(openFile(folder)).rejects.toThrow(NotFoundError)
  })

  it('names the file behind a link', async () => {
    await symlink('abc', join(folder, 'link'))
    expect((await openFile(join(folder, 'link'))).path).toBe(join(folder, 'abc'))
  })

  it.runIf(process.platform === 'linux')('leaves no handle open', async () => {
    const file = await openFile(join(folder, 'abc'))
    const handles = () => readdirSync('/proc/self/fd').length
    await file.read(0, 1)
    const before = handles()
    await Promise.all(Array.from({ length: 50 }, () => file.read(0, 6)))
    await truncate(join(folder, 'abc'), 3)
    await Promise.allSettled(Array.from({ length: 50 }, () => file.read(0, 6)))
    expect(handles()).toBe(before)
  })
})

describe('localRepository', () => {
  it('opens files below the folder, and says when there is none', async () => {
    await mkdir(join(folder, 'unet'))
    await writeFile(join(folder, 'unet', 'config.json'), '{}')
    const repository = localRepository(folder)
    expect(repository.name).toBe(folder)
    const file = await repository.open('unet/config.json')
    expect(file?.name).toBe(join(folder, 'unet', 'config.json'))
    expect(file && text(await file.read(0, 2))).toBe('{}')
    for (const missing of ['none', 'unet/none', 'unet', 'abc/inside']) {
      expect(await repository.open(missing)).toBeUndefined()
    }
  })

  it('follows links out of the folder, as a Hugging Face cache has them', async () => {
    await mkdir(join(folder, 'snapshots', 'main'), { recursive: true })
    await symlink('../../abc', join(folder, 'snapshots', 'main', 'model.safetensors'))
    await symlink('../../gone', join(folder, 'snapshots', 'main', 'broken'))
    const repository = localRepository(join(folder, 'snapshots', 'main'))
    expect((await repository.open('model.safetensors'))?.path).toBe(join(folder, 'abc'))
    expect(await repository.open('broken')).toBeUndefined()
  })

  it.each(['../abc', 'a/../../abc', '/etc/hostname', '', '.', './abc', 'a//b', 'a/', '..\\abc', 'C:abc', 'abc\0'])(
    'refuses the path %j',
    async (path) => {
      await expect(localRepository(folder).open(path)).rejects.toThrow(InvalidArgumentError)
    },
  )

  it('refuses a folder that is missing or a file', () => {
    expect(() => localRepository(join(folder, 'none'))).toThrow(NotFoundError)
    expect(() => localRepository(join(folder, 'abc'))).toThrow(NotFoundError)
  })
})
