import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type Fault, sha256 } from './server'
import { contents, expectSame, failure, noise, tree, useWorkspace, type Workspace } from './workspace'

const hub = useWorkspace()
const ID = 'someone/model'
const PATH = 'unet/weights.safetensors'
const SIZE = 2_000_000
const BYTES = noise(SIZE)

/** One large file, the first answers to whose requests are spoiled. */
function serve(...faults: readonly (Fault | undefined)[]): void {
  hub.server.add(ID, { [PATH]: BYTES })
  hub.server.fault = (_, attempt) => faults[attempt]
}

/** That the cache holds nothing of the file: neither a part nor a link. */
async function expectClean({ folder }: Workspace): Promise<void> {
  expect((await tree(folder)).filter((path) => /blobs|snapshots|\.lock/.test(path))).toEqual([])
}

/** That the cache holds the file, and nothing that was needed on the way. */
async function expectWhole({ folder }: Workspace): Promise<void> {
  const names = (await tree(folder)).filter((path) => !path.includes('/refs/'))
  expect(names).toHaveLength(2)
  expect(names[0]).toBe(`models--someone--model/blobs/${sha256(BYTES)}`)
}

describe('a body cut at a tenth of the file', () => {
  const tenths = Array.from({ length: 10 }, (_, i) => i)

  it.each(tenths)('%i: is resumed to the byte when the line ends cleanly', async (tenth) => {
    const after = (tenth * SIZE) / 10
    serve({ kind: 'cut', after, clean: true })
    expectSame(await contents(hub.open(ID).open(PATH)), BYTES)
    expect(hub.server.bytesSent()).toBe(SIZE)
    expect(hub.server.bodies(PATH).map((body) => body.range)).toEqual([
      undefined,
      after ? `bytes=${after}-` : undefined,
    ])
    await expectWhole(hub)
  })

  it.each(tenths)('%i: is resumed where it broke when the line breaks', async (tenth) => {
    const after = (tenth * SIZE) / 10
    serve({ kind: 'cut', after })
    expectSame(await contents(hub.open(ID).open(PATH)), BYTES)
    const [, second] = hub.server.bodies(PATH)
    const resumed = Number(/^bytes=(\d+)-$/.exec(second.range ?? 'bytes=0-')?.[1])
    // What the system had taken but not handed over when the line broke is lost: one or two of its buffers.
    expect(resumed).toBeLessThanOrEqual(after)
    expect(after - resumed).toBeLessThan(SIZE / 10)
    expect(hub.server.bytesSent()).toBe(after + SIZE - resumed)
    await expectWhole(hub)
  })

  it('ten times in a row gets there all the same: an attempt that got on is no failure', async () => {
    serve(...tenths.map((): Fault => ({ kind: 'cut', after: SIZE / 10, clean: true })))
    expectSame(await contents(hub.open(ID, { retries: 1 }).open(PATH)), BYTES)
    expect(hub.server.bytesSent()).toBe(SIZE)
  })

  it('is restarted where the server has no ranges, without writing twice', async () => {
    serve({ kind: 'cut', after: SIZE / 2, clean: true }, { kind: 'whole' })
    expectSame(await contents(hub.open(ID).open(PATH)), BYTES)
    expect(hub.server.bytesSent()).toBe(SIZE * 1.5)
  })

  it('is resumed by the next process, if this one gives up', async () => {
    serve({ kind: 'cut', after: 700_000, clean: true }, { kind: 'reset' })
    const error = await failure(hub.open(ID, { retries: 1 }).open(PATH))
    expect(error.code).toBe('ERR_HUB_CONNECTION')
    expect(error.message).toContain('700000 of 2000000 bytes')
    expect(await readdir(join(hub.folder, 'models--someone--model/blobs'))).toEqual([`${sha256(BYTES)}.incomplete`])
    hub.server.fault = () => undefined
    expectSame(await contents(hub.open(ID).open(PATH)), BYTES)
    expect(hub.server.bytesSent()).toBe(SIZE)
    await expectWhole(hub)
  })

  it('that always comes to nothing ends in an error after a bounded number of requests', async () => {
    serve()
    hub.server.fault = () => ({ kind: 'cut', after: 1, clean: true })
    expect(await failure(hub.open(ID, { retries: 3 }).open(PATH))).toMatchObject({ code: 'ERR_HUB_CONNECTION' })
    expect(hub.server.bodies(PATH)).toHaveLength(4)
  })
})

describe('wrong bytes', () => {
  it.each([0, SIZE / 2, SIZE - 1])('a flipped bit at %i: fetched again, once', async (at) => {
    serve({ kind: 'flip', at })
    expectSame(await contents(hub.open(ID).open(PATH)), BYTES)
    expect(hub.server.bytesSent()).toBe(2 * SIZE)
    await expectWhole(hub)
  })

  it('a flipped bit every time: an error that says what is wrong, and a clean cache', async () => {
    serve({ kind: 'flip', at: 5 }, { kind: 'flip', at: 5 }, { kind: 'flip', at: 5 })
    const error = await failure(hub.open(ID).open(PATH))
    expect(error.code).toBe('ERR_HUB_CHECKSUM')
    expect(error.message).toContain(sha256(BYTES))
    expect(error.message).toContain('endpoint')
    await expectClean(hub)
  })

  it('a flipped bit in a small file, which git names by another hash', async () => {
    hub.server.add(ID, { 'config.json': '{"a": 1}' })
    hub.server.fault = () => ({ kind: 'flip', at: 6 })
    expect(await failure(hub.open(ID).open('config.json'))).toMatchObject({ code: 'ERR_HUB_CHECKSUM' })
    await expectClean(hub)
    hub.server.fault = () => undefined
    expect(new TextDecoder().decode(await contents(hub.open(ID).open('config.json')))).toBe('{"a": 1}')
  })

  it('left over from an earlier attempt: found out, thrown away, fetched again', async () => {
    serve()
    const blobs = join(hub.folder, 'models--someone--model/blobs')
    await mkdir(blobs, { recursive: true })
    await writeFile(join(blobs, `${sha256(BYTES)}.incomplete`), noise(600_000, 99))
    expectSame(await contents(hub.open(ID).open(PATH)), BYTES)
    expect(hub.server.bodies(PATH).map((body) => body.range)).toEqual(['bytes=600000-', undefined])
    await expectWhole(hub)
  })
})

describe('a wrong length', () => {
  it('too short: the rest is asked for', async () => {
    serve({ kind: 'length', delta: -1000 })
    expectSame(await contents(hub.open(ID).open(PATH)), BYTES)
    expect(hub.server.bytesSent()).toBe(SIZE)
  })

  it('too long: fetched again', async () => {
    serve({ kind: 'length', delta: 1000 })
    expectSame(await contents(hub.open(ID).open(PATH)), BYTES)
    await expectWhole(hub)
  })

  it('too long every time: an error, and a clean cache', async () => {
    serve({ kind: 'length', delta: 1 }, { kind: 'length', delta: 1 })
    const error = await failure(hub.open(ID).open(PATH))
    expect(error.code).toBe('ERR_HUB_CHECKSUM')
    expect(error.message).toContain('more than 2000000 bytes')
    await expectClean(hub)
  })
})

describe('a server in trouble', () => {
  it.each([503, 500, 502, 504, 429, 408])('%i three times, then the file', async (status) => {
    serve(...[1, 2, 3].map((): Fault => ({ kind: 'status', status })))
    expectSame(await contents(hub.open(ID).open(PATH)), BYTES)
    expect(hub.server.bodies(PATH)).toHaveLength(4)
    expect(hub.server.bytesSent()).toBe(SIZE)
  })

  it('503 three times to the API', async () => {
    serve()
    hub.server.apiFault = (_, attempt) => (attempt < 3 ? { kind: 'status', status: 503 } : undefined)
    expectSame(await contents(hub.open(ID).open(PATH)), BYTES)
  })

  it('does not wait for hours', async () => {
    serve({ kind: 'status', status: 429, headers: { 'retry-after': '7200' } })
    const error = await failure(hub.open(ID).open(PATH))
    expect(error.code).toBe('ERR_HUB_CONNECTION')
    expect(error.message).toContain('429')
  })

  it('503 for ever: an error after the attempts that were asked for', async () => {
    serve()
    hub.server.fault = () => ({ kind: 'status', status: 503 })
    const error = await failure(hub.open(ID, { retries: 2 }).open(PATH))
    expect(error.code).toBe('ERR_HUB_CONNECTION')
    expect(error.message).toContain('failed 3 times')
    expect(hub.server.bodies(PATH)).toHaveLength(3)
    await expectClean(hub)
  })

  it('resets', async () => {
    serve({ kind: 'reset' }, { kind: 'reset' })
    expectSame(await contents(hub.open(ID).open(PATH)), BYTES)
  })

  it.each([undefined, 0, 500_000])('hangs after %s bytes: given up after the timeout, then resumed', async (after) => {
    serve({ kind: 'hang', after })
    expectSame(await contents(hub.open(ID, { timeout: 1000 }).open(PATH)), BYTES)
    expect(hub.server.bodies(PATH)).toHaveLength(2)
    if (after) expect(hub.server.bodies(PATH)[1].range).toMatch(/^bytes=[1-9]/)
  })

  it.each(['before', 'within'])('an API that hangs %s the answer', async (when) => {
    serve()
    const stuck = new ReadableStream({ start: (controller) => controller.enqueue(new TextEncoder().encode('{"sha":')) })
    let asked = 0
    const fetch_: typeof fetch = async (input, init) => {
      if (!String(input).includes('/api/') || asked++ > 0) return fetch(input, init)
      return when === 'before' ? new Promise(() => {}) : new Response(stuck)
    }
    expectSame(await contents(hub.open(ID, { timeout: 1000, fetch: fetch_ }).open(PATH)), BYTES)
    expect(asked).toBe(3)
  })
})

describe('a file that changes on the server', () => {
  it('during a resume: its own error, and the old part is gone', async () => {
    serve({ kind: 'cut', after: 500_000, clean: true })
    const other = noise(SIZE, 77)
    let asked = 0
    const replacing: typeof fetch = async (input, init) => {
      const response = await fetch(input, init)
      if (!String(input).includes('/resolve/') || asked++ === 0) return response
      const headers = new Headers(response.headers)
      headers.set('x-linked-etag', `"${sha256(other)}"`)
      return new Response(null, { status: 302, headers })
    }
    const error = await failure(hub.open(ID, { fetch: replacing }).open(PATH))
    expect(error.code).toBe('ERR_HUB_CHANGED')
    expect(error.message).toContain(sha256(other))
    await expectClean(hub)
    expectSame(await contents(hub.open(ID).open(PATH)), BYTES)
  })

  it('into one of another size', async () => {
    serve({ kind: 'cut', after: 500_000, clean: true })
    const shrunk: typeof fetch = async (input, init) => {
      const response = await fetch(input, init)
      if (response.status !== 206) return response
      const headers = new Headers(response.headers)
      headers.set('content-range', 'bytes 500000-799999/800000')
      return new Response(response.body, { status: 206, headers })
    }
    const error = await failure(hub.open(ID, { fetch: shrunk }).open(PATH))
    expect(error).toMatchObject({ code: 'ERR_HUB_CHANGED' })
    expect(error.message).toContain('got 800000 bytes')
    await expectClean(hub)
  })
})

describe('redirects', () => {
  it('to another host go without the token', async () => {
    hub.server.add(ID, { [PATH]: BYTES }, { token: 'hf_secret' })
    expectSame(await contents(hub.open(ID, { token: 'hf_secret' }).open(PATH)), BYTES)
    const { requests } = hub.server
    expect(
      requests.filter((seen) => seen.server === 'hub').every((seen) => seen.authorization === 'Bearer hf_secret'),
    ).toBe(true)
    const elsewhere = requests.filter((seen) => seen.server === 'cdn')
    expect(elsewhere.length).toBeGreaterThan(0)
    expect(elsewhere.every((seen) => seen.authorization === undefined)).toBe(true)
  })

  it('to a browser, which hides them, are followed by its fetch', async () => {
    serve()
    const seen: string[] = []
    const browser: typeof fetch = async (input, init) => {
      seen.push(init?.redirect ?? 'follow')
      const response = await fetch(input, init)
      return response.status === 302
        ? Object.defineProperty(Response.error(), 'type', { value: 'opaqueredirect' })
        : response
    }
    expectSame(await contents(hub.open(ID, { fetch: browser }).open(PATH)), BYTES)
    expect(seen).toContain('follow')
  })

  it.each(['ftp://127.0.0.1/file', 'file:///etc/passwd', 'http://'])('to %s are refused', async (location) => {
    serve()
    hub.server.add(ID, { 'small.json': '{}' })
    hub.server.fault = () => ({ kind: 'status', status: 302, headers: { location } })
    const error = await failure(hub.open(ID, { retries: 1 }).open('small.json'))
    expect(error.code).toBe('ERR_HUB_CONNECTION')
    expect(error.message).toContain(location)
  })

  it('in a circle end', async () => {
    hub.server.add(ID, { 'small.json': '{}' })
    hub.server.fault = () => ({ kind: 'status', status: 307, headers: { location: '?again' } })
    expect(await failure(hub.open(ID, { retries: 1 }).open('small.json'))).toMatchObject({ code: 'ERR_HUB_CONNECTION' })
    expect(hub.server.requests.length).toBeLessThan(30)
  })
})

describe('a hostile repository', () => {
  const names = [
    '../outside.json',
    '/etc/outside.json',
    'a/../../outside.json',
    'a\\..\\..\\b',
    'C:/outside.json',
    './a',
    'a//b',
    'a\0b',
  ]

  it.each(names)('that lists %j is refused, and nothing is written', async (path) => {
    hub.server.add(ID, { 'good.json': '{}', 'bad.json': '{"bad": true}' }, { listed: { 'bad.json': { path } } })
    const error = await failure(hub.open(ID).open('good.json'))
    expect(error.code).toBe('ERR_HUB_UNTRUSTED')
    expect(error.message).toContain(JSON.stringify(path))
    expect(await tree(hub.folder)).toEqual([])
    expect(hub.server.bytesSent()).toBe(0)
  })

  it.each(names)('cannot be asked for %j', async (path) => {
    hub.server.add(ID, { 'good.json': '{}' })
    for (const attempt of [hub.open(ID).open(path), hub.open(ID).prefetch([path])]) {
      expect(await failure(attempt)).toMatchObject({ code: 'ERR_INVALID_ARGUMENT' })
    }
    expect(hub.server.connections).toBe(0)
  })

  it.each(['../../../evil', 'main', '', 'A'.repeat(40)])('with a file of the hash %j is refused', async (oid) => {
    hub.server.add(ID, { 'good.json': '{}' }, { listed: { 'good.json': { oid } } })
    expect(await failure(hub.open(ID).open('good.json'))).toMatchObject({ code: 'ERR_HUB_UNTRUSTED' })
    expect(await tree(hub.folder)).toEqual([])
  })

  it.each([-1, 1.5, 1e300])('with a file of %d bytes is refused', async (size) => {
    hub.server.add(ID, { 'good.json': '{}' }, { listed: { 'good.json': { size } } })
    expect(await failure(hub.open(ID).open('good.json'))).toMatchObject({ code: 'ERR_HUB_UNTRUSTED' })
  })

  it('with components named after other folders is refused', async () => {
    const index = { _class_name: 'X', '../../unet': ['diffusers', 'UNet2DConditionModel'] }
    hub.server.add(ID, { 'model_index.json': JSON.stringify(index) })
    const error = await failure(hub.open(ID).prefetchPipeline())
    expect(error.code).toBe('ERR_HUB_UNUSABLE')
    expect(error.message).toContain('../../unet')
  })

  const lying =
    (answer: string): typeof fetch =>
    async () =>
      new Response(answer)

  it.each(['"hello"', '{', '[]', '[null]', '7', '{"sha": "../../etc"}', '{"sha": 7}', '{}'])(
    'that says %s when asked for its commit is refused',
    async (answer) => {
      const error = await failure(hub.open(ID, { fetch: lying(answer) }).open('good.json'))
      expect(['ERR_HUB_UNTRUSTED', 'ERR_HUB_REVISION_NOT_FOUND']).toContain(error.code)
      expect(await tree(hub.folder)).toEqual([])
    },
  )

  it.each(['"hello"', '{', '[null]', '7', '{}', '[{"type": "file"}]', '[{"type": "file", "path": 7}]'])(
    'that says %s when asked for its files is refused',
    async (answer) => {
      const repository = hub.open(ID, { fetch: lying(answer), revision: 'a'.repeat(40) })
      expect(await failure(repository.open('good.json'))).toMatchObject({ code: 'ERR_HUB_UNTRUSTED' })
      expect(await tree(hub.folder)).toEqual([])
    },
  )

  it('whose API answers without end is refused', async () => {
    const endless: typeof fetch = async () => {
      return new Response(new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(2 ** 20)) }))
    }
    expect(await failure(hub.open(ID, { fetch: endless }).open('a'))).toMatchObject({ code: 'ERR_HUB_UNTRUSTED' })
  })
})
