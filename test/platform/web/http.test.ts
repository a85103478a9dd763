import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { httpRepository } from '../../../src/platform/web/http'
import { serve, type TestServer } from '../../web/server'

const SIZE = 40 * 2 ** 20
const byteAt = (i: number) => (i * 31 + (i >> 8)) & 255

let folder: string
let server: TestServer | undefined
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'latentkit-http-'))
  await mkdir(join(folder, 'unet'))
  await writeFile(
    join(folder, 'unet/weights.bin'),
    Uint8Array.from({ length: SIZE }, (_, i) => byteAt(i)),
  )
  await writeFile(join(folder, 'config.json'), '{}')
  await writeFile(join(folder, 'empty'), '')
  await writeFile(join(folder, 'a name.txt'), 'text')
  await writeFile(join(folder, 'page.html'), '<!doctype html>')
})
afterAll(() => rm(folder, { recursive: true }))
afterEach(() => server?.close())

const start = async (options = {}) => {
  server = await serve({ '/models/': folder }, options)
  return server
}
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)

describe('httpRepository', () => {
  it.each([
    ['a server that understands Range', true],
    ['a server that sends files whole', false],
  ])('reads at any offset from %s', async (_, ranges) => {
    const { origin } = await start({ ranges })
    const file = await httpRepository(`${origin}/models`).open('unet/weights.bin')
    expect(file?.size).toBe(SIZE)
    for (const [offset, length] of [
      [0, 100],
      [1000, 0],
      [262_100, 200],
      [SIZE - 5, 5],
      [20_000_000, 18_000_000],
      [3, 7],
    ]) {
      const bytes = await file?.read(offset, length)
      expect(bytes?.length).toBe(length)
      if (bytes && length > 0) expect([bytes[0], bytes[length - 1]]).toEqual([offset, offset + length - 1].map(byteAt))
    }
    await expect(file?.read(SIZE - 1, 2)).rejects.toThrow(/too short/)
  })

  it('fetches a small file with one request, and of a large one the parts that are read', async () => {
    const { origin, requests } = await start()
    const repository = httpRepository(`${origin}/models/`)
    const config = await repository.open('config.json')
    expect(config && text(await config.read(0, config.size))).toBe('{}')
    expect(requests.length).toBe(1)
    const weights = await repository.open('unet/weights.bin')
    // In the order of the file: 40 MiB are three windows of 16 MiB.
    for (let offset = 0; offset < SIZE; offset += 2 ** 20) await weights?.read(offset, 2 ** 20)
    expect(requests.length).toBeLessThanOrEqual(1 + 1 + 4)
    expect(requests.every(({ range }) => range !== undefined)).toBe(true)
  })

  it('has no file where the server has none, or answers with a page', async () => {
    const { origin } = await start()
    const repository = httpRepository(`${origin}/models/`)
    expect(await repository.open('unet/other.bin')).toBeUndefined()
    expect(await repository.open('page.html')).toBeUndefined()
    expect(repository.name).toBe(`${origin}/models/`)
  })

  it('opens empty files, and files with odd names', async () => {
    const { origin } = await start()
    const repository = httpRepository(`${origin}/models/`)
    expect((await repository.open('empty'))?.size).toBe(0)
    const odd = await repository.open('a name.txt')
    expect(odd && text(await odd.read(0, 4))).toBe('text')
  })

  it('refuses paths that leave the folder', async () => {
    const { origin } = await start()
    for (const path of ['../config.json', '/config.json', 'a//b', 'C:\\x', '']) {
      await expect(httpRepository(`${origin}/models/unet`).open(path)).rejects.toThrow(/not a path inside/)
    }
  })

  it('sends its headers, and tells what the server says', async () => {
    const seen: (string | undefined)[] = []
    const refusing = createServer((request, response) => {
      seen.push(request.headers.authorization)
      response.writeHead(request.url === '/busy' ? 503 : 403).end()
    })
    await new Promise<void>((resolve) => refusing.listen(0, '127.0.0.1', resolve))
    const origin = `http://127.0.0.1:${(refusing.address() as AddressInfo).port}`
    const repository = httpRepository(origin, { headers: { authorization: 'Bearer secret' } })
    await expect(repository.open('busy')).rejects.toThrow(/\[http\] .*busy cannot be read: the server answered 503/)
    await expect(repository.open('private')).rejects.toThrow(/answered 403 Forbidden/)
    expect(seen).toEqual(['Bearer secret', 'Bearer secret'])
    await new Promise((resolve) => refusing.close(resolve))
    await expect(repository.open('gone')).rejects.toThrow(/\[http\] .*gone cannot be read/)
  })

  it('notices that a file changed or was cut off while it was read', async () => {
    const { origin } = await start()
    let answer: (() => Response) | undefined
    const fetch: typeof globalThis.fetch = (input, init) =>
      answer ? Promise.resolve(answer()) : globalThis.fetch(input, init)
    const file = await httpRepository(`${origin}/models/`, { fetch }).open('unet/weights.bin')
    answer = () => new Response('short', { status: 206 })
    await expect(file?.read(30_000_000, 10)).rejects.toThrow(/was cut off: got 5 bytes/)
    answer = () => new Response('other', { status: 200 })
    await expect(file?.read(30_000_000, 10)).rejects.toThrow(/changed: got status 200/)
    answer = () => new Response(null, { status: 404 })
    await expect(file?.read(30_000_000, 10)).rejects.toThrow(/changed: got status 404/)
  })

  it('asks again where another origin hides the length', async () => {
    const { origin, requests } = await start()
    const fetch: typeof globalThis.fetch = async (input, init) => {
      const response = await globalThis.fetch(input, init)
      if (response.status !== 206) return response
      const headers = new Headers(response.headers)
      headers.delete('content-range')
      return new Response(response.body, { status: 206, headers })
    }
    const file = await httpRepository(`${origin}/models/`, { fetch }).open('config.json')
    expect([file?.size, requests.map(({ range }) => range !== undefined)]).toEqual([2, [true, false]])
  })

  it('stops with the signal', async () => {
    const { origin } = await start()
    const reason = new Error('enough')
    const controller = new AbortController()
    const repository = httpRepository(`${origin}/models/`, { signal: controller.signal })
    const file = await repository.open('unet/weights.bin')
    controller.abort(reason)
    await expect(file?.read(30_000_000, 10)).rejects.toBe(reason)
    await expect(repository.open('config.json')).rejects.toBe(reason)
  })
})
