import { describe, expect, it } from 'vitest'
import { contents, expectSame, failure, noise, tree, useWorkspace } from './workspace'

const hub = useWorkspace()
const ID = 'someone/model'
const PATH = 'unet/weights.safetensors'
const BYTES = noise(1_500_000)
const xorbs = () => hub.server.requests.filter((seen) => seen.url.startsWith('/xorb/'))

describe('a file in xet storage', () => {
  it('is put together from its chunks, and verified', async () => {
    hub.server.add(ID, { [PATH]: BYTES, 'config.json': '{}' }, { xet: true, token: 'hf_secret' })
    const repository = hub.open(ID, { token: 'hf_secret' })
    await repository.prefetch([PATH, 'config.json'])
    expectSame(await contents(repository.open(PATH)), BYTES)
    expect(xorbs().length).toBeGreaterThan(1)
    expect(hub.server.requests.some((seen) => seen.url.startsWith('/blob/'))).toBe(false)
    // The Hub's token stays with the Hub.
    const elsewhere = hub.server.requests.filter((seen) => seen.server === 'cdn')
    expect(elsewhere.every((seen) => seen.authorization !== 'Bearer hf_secret')).toBe(true)
  })

  it('is fetched as any other when that is asked for', async () => {
    hub.server.add(ID, { [PATH]: BYTES }, { xet: true })
    expectSame(await contents(hub.open(ID, { xet: false }).open(PATH)), BYTES)
    expect(xorbs()).toEqual([])
    expect(hub.server.bytesSent()).toBe(BYTES.length)
  })

  it('is resumed from its chunks', async () => {
    const commit = hub.server.add(ID, { [PATH]: BYTES }, { xet: true })
    const [file] = await hub.open(ID).list()
    const half = hub.cache.store(ID, commit, file, async (writer) => {
      await writer.write(BYTES.slice(0, 1_000_000))
      throw new Error('broken')
    })
    expect((await failure(half)).message).toBe('broken')
    expectSame(await contents(hub.open(ID).open(PATH)), BYTES)
    expect(xorbs().length).toBeGreaterThan(0)
    expect(hub.server.bytesSent(PATH)).toBeLessThan(BYTES.length)
  })

  it('comes over plain HTTP when xet storage fails, from where it was', async () => {
    hub.server.add(ID, { [PATH]: BYTES }, { xet: true })
    let count = 0
    const failing: typeof fetch = async (input, init) => {
      if (String(input).includes('/xorb/') && ++count > 2) return new Response('no', { status: 500 })
      return fetch(input, init)
    }
    expectSame(await contents(hub.open(ID, { fetch: failing }).open(PATH)), BYTES)
    expect(hub.server.requests.some((seen) => seen.url.startsWith('/blob/'))).toBe(true)
  })

  it.each(['/v2/reconstructions/', '/xet-read-token/', '/xorb/'])(
    'comes over plain HTTP when %s hangs',
    async (part) => {
      hub.server.add(ID, { [PATH]: BYTES }, { xet: true })
      const hanging: typeof fetch = async (input, init) => {
        return String(input).includes(part) ? new Promise(() => {}) : fetch(input, init)
      }
      expectSame(await contents(hub.open(ID, { fetch: hanging, timeout: 300 }).open(PATH)), BYTES)
    },
  )

  it('whose chunks are damaged is fetched again', async () => {
    hub.server.add(ID, { [PATH]: BYTES }, { xet: true })
    let isDamaged = false
    const damaging: typeof fetch = async (input, init) => {
      const response = await fetch(input, init)
      if (isDamaged || !String(input).includes('/xorb/')) return response
      isDamaged = true
      const bytes = new Uint8Array(await response.arrayBuffer())
      bytes[1000] ^= 1
      return new Response(bytes)
    }
    expectSame(await contents(hub.open(ID, { fetch: damaging }).open(PATH)), BYTES)
  })

  it('can be given up', async () => {
    hub.server.add(ID, { [PATH]: BYTES }, { xet: true })
    const controller = new AbortController()
    const reason = new Error('enough')
    const hanging: typeof fetch = async (input, init) => {
      if (!String(input).includes('/xorb/')) return fetch(input, init)
      setTimeout(() => controller.abort(reason), 20)
      return new Promise(() => {})
    }
    const opening = hub.open(ID, { fetch: hanging, signal: controller.signal }).open(PATH)
    expect(await failure(opening)).toBe(reason)
    expect((await tree(hub.folder)).filter((path) => path.endsWith('.lock'))).toEqual([])
  })
})
