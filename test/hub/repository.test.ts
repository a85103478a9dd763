import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { ProgressEvent } from '../../src/core/progress'
import { planPipeline } from '../../src/hub/plan'
import { gitSha1, readFolder, sha256, wait } from './server'
import { contents, expectSame, failure, noise, tree, useWorkspace } from './workspace'

const MODELS = 'test/fixtures/models'
const it_ = useWorkspace()
const ID = 'someone/tiny'

/** What must not be fetched although it is there. */
const OTHERS = {
  'README.md': '# A model',
  'unet/diffusion_pytorch_model.bin': noise(20_000, 3),
  'unet/diffusion_pytorch_model.fp16.safetensors': noise(20_000, 4),
  'unet/diffusion_flax_model.msgpack': noise(20_000, 5),
  'v1-5-pruned.ckpt': noise(20_000, 6),
  'safety_checker/model.safetensors': noise(20_000, 7),
  'safety_checker/config.json': '{}',
}

describe.each(['tiny-sd1', 'tiny-sdxl', 'tiny-upscale', 'tiny-sd1-onnx', 'tiny-ddpm'])('a pipeline: %s', (model) => {
  const files = readFolder(join(MODELS, model))

  it('is fetched into an empty cache, byte for byte and nothing else; from the warm one without a connection', async () => {
    const { server } = it_
    server.add(ID, { ...files, ...OTHERS })
    const repository = it_.open(ID)
    const plan = await repository.prefetchPipeline()
    expect(plan.problems).toEqual([])
    const needed = [...plan.configs, ...plan.weights]
    expect([...needed].sort()).toEqual(Object.keys(files).sort())
    // Files with the same bytes are one blob, and come once.
    const blobs = new Map(needed.map((path) => [gitSha1(files[path]), files[path].length]))
    expect(server.bytesSent()).toBe([...blobs.values()].reduce((sum, size) => sum + size, 0))
    for (const path of needed) expectSame(await contents(repository.open(path)), files[path])

    server.forget()
    const again = it_.open(ID)
    expect(await again.prefetchPipeline()).toEqual(plan)
    for (const path of needed) expectSame(await contents(again.open(path)), files[path])
    expect(await again.open('unet/not-there.json')).toBeUndefined()
    expect(server.connections).toBe(0)

    await server.stop()
    const offline = it_.open(ID)
    expect(await offline.prefetchPipeline()).toEqual(plan)
    const weights = plan.weights[0]
    expectSame(await contents(offline.open(weights)), files[weights])
  })

  it('is planned the same from its folder and from its listing', async () => {
    const index = JSON.parse(await readFile(join(MODELS, model, 'model_index.json'), 'utf8'))
    const plan = planPipeline(index, Object.keys(files))
    expect([...plan.configs, ...plan.weights].sort()).toEqual(Object.keys(files).sort())
  })
})

describe('the cache that is made', () => {
  it('has the layout of huggingface_hub, to the file', async () => {
    const { server, folder } = it_
    const weights = noise(30_000)
    const commit = server.add(ID, { 'unet/config.json': '{}', 'unet/diffusion_pytorch_model.safetensors': weights })
    const repository = it_.open(ID)
    await repository.prefetch(['unet/config.json', 'unet/diffusion_pytorch_model.safetensors'])
    expect(await repository.open('unet/none.json')).toBeUndefined()
    const config = gitSha1(new TextEncoder().encode('{}'))
    const large = sha256(weights)
    expect(await tree(folder)).toEqual(
      [
        `models--someone--tiny/.no_exist/${commit}/unet/none.json`,
        `models--someone--tiny/blobs/${config}`,
        `models--someone--tiny/blobs/${large}`,
        'models--someone--tiny/refs/main',
        `models--someone--tiny/snapshots/${commit}/unet/config.json -> ../../../blobs/${config}`,
        `models--someone--tiny/snapshots/${commit}/unet/diffusion_pytorch_model.safetensors -> ../../../blobs/${large}`,
      ].sort(),
    )
    expect(await readFile(join(folder, 'models--someone--tiny/refs/main'), 'utf8')).toBe(commit)
    const file = await repository.open('unet/diffusion_pytorch_model.safetensors')
    // ONNX Runtime refuses links that leave the folder: the path is the blob's own.
    expect(file?.path).toBe(join(folder, `models--someone--tiny/blobs/${large}`))
  })

  it('keeps what an unchanged file has in common with the commit before', async () => {
    const { server } = it_
    const weights = noise(30_000)
    server.add(ID, { 'config.json': '{"a":1}', 'model.safetensors': weights })
    await it_.open(ID).prefetch(['config.json', 'model.safetensors'])
    server.add(ID, { 'config.json': '{"a":2}', 'model.safetensors': weights })
    server.forget()

    // A branch that is cached is used as it is …
    expect(new TextDecoder().decode(await contents(it_.open(ID).open('config.json')))).toBe('{"a":1}')
    expect(server.connections).toBe(0)
    // … until an update is asked for.
    const updated = it_.open(ID, { update: true })
    await updated.prefetch(['config.json', 'model.safetensors'])
    expect(new TextDecoder().decode(await contents(updated.open('config.json')))).toBe('{"a":2}')
    expect(server.bytesSent()).toBe('{"a":2}'.length)
    expect(new TextDecoder().decode(await contents(it_.open(ID).open('config.json')))).toBe('{"a":2}')
  })
})

describe('revisions', () => {
  it('are branches, tags, pull requests and commits', async () => {
    const { server } = it_
    const first = server.add(ID, { 'config.json': '1' }, { refs: ['v1', 'refs/pr/3'] })
    server.add(ID, { 'config.json': '2' })
    const read = async (revision?: string) =>
      new TextDecoder().decode(await contents(it_.open(ID, { revision }).open('config.json')))
    expect(await read()).toBe('2')
    expect(await read('v1')).toBe('1')
    expect(await read('refs/pr/3')).toBe('1')
    expect(await read(first)).toBe('1')
    await server.stop()
    for (const revision of ['v1', 'refs/pr/3', first]) expect(await read(revision)).toBe('1')
  })

  it('are refused when they are no such thing, before anything is asked', async () => {
    const { server } = it_
    for (const revision of ['', '..', '../main', '/main', 'a..b', 'a b', 'a\\b', 'main.lock', 'x'.repeat(300)]) {
      expect(() => it_.open(ID, { revision })).toThrow(/not a revision/)
    }
    expect(server.connections).toBe(0)
  })
})

describe('a listing', () => {
  it('may have several pages', async () => {
    const { server } = it_
    server.pageSize = 3
    const files = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`folder/${i}.json`, `{"i":${i}}`]))
    server.add(ID, files)
    expect((await it_.open(ID).list()).map((file) => file.path).sort()).toEqual(Object.keys(files).sort())
  })

  it('that never ends is given up', async () => {
    const { server } = it_
    server.pageSize = 0
    server.add(ID, { 'config.json': '{}' })
    expect(await failure(it_.open(ID).list())).toMatchObject({ code: 'ERR_HUB_UNTRUSTED' })
    expect(server.requests.length).toBeLessThan(1010)
  })
})

describe('progress', () => {
  it('tells each file, its bytes and the rate, up to the end', async () => {
    const { server } = it_
    server.add(ID, { 'a.bin': noise(400_000, 1), 'b.bin': noise(300_000, 2) })
    server.fault = () => ({ kind: 'slow', bytesPerSecond: 1_000_000 })
    const events: ProgressEvent[] = []
    await it_.open(ID).prefetch(['a.bin', 'b.bin'], { onProgress: (event) => events.push(event) })
    for (const [file, total] of [
      ['a.bin', 400_000],
      ['b.bin', 300_000],
    ] as const) {
      const own = events.filter((event) => event.kind === 'download' && event.file === file)
      const loaded = own.map((event) => (event.kind === 'download' ? event.loaded : 0))
      expect(loaded[0]).toBe(0)
      expect(loaded.at(-1)).toBe(total)
      expect(loaded).toEqual([...loaded].sort((a, b) => a - b))
      expect(own.every((event) => event.kind === 'download' && event.total === total)).toBe(true)
      expect(own.some((event) => event.kind === 'download' && (event.bytesPerSecond ?? 0) > 0)).toBe(true)
    }
  })

  it('is silent about what is cached', async () => {
    const { server } = it_
    server.add(ID, { 'a.bin': noise(400_000, 1) })
    await it_.open(ID).prefetch(['a.bin'])
    const events: ProgressEvent[] = []
    await it_.open(ID, { onProgress: (event) => events.push(event) }).open('a.bin')
    expect(events).toEqual([])
  })
})

describe('several files at once', () => {
  it('are as many as asked for', async () => {
    const { server } = it_
    const names = Array.from({ length: 8 }, (_, i) => `${i}.bin`)
    server.add(ID, Object.fromEntries(names.map((name, i) => [name, noise(20_000, i + 1)])))
    let running = 0
    let most = 0
    const counting: typeof fetch = async (input, init) => {
      if (!String(input).includes('/blob/')) return fetch(input, init)
      most = Math.max(most, ++running)
      const bytes = await (await fetch(input, init)).arrayBuffer()
      await new Promise((resolve) => setTimeout(resolve, 30))
      running--
      return new Response(bytes)
    }
    await it_.open(ID, { concurrency: 3, fetch: counting }).prefetch(names)
    expect(most).toBe(3)
  })
})

describe('a signal', () => {
  it('stops at once with its reason; the next attempt goes on from there', async () => {
    const { server, cache } = it_
    const bytes = noise(1_000_000)
    server.add(ID, { 'a.bin': bytes })
    server.fault = (_, attempt) => (attempt === 0 ? { kind: 'hang', after: 500_000 } : undefined)
    const controller = new AbortController()
    const reason = new Error('the user went home')
    const loading = failure(it_.open(ID).prefetch(['a.bin'], { signal: controller.signal }))
    while (server.bytesSent('a.bin') < 500_000) await wait(20)
    await wait(100)
    controller.abort(reason)
    expect(await loading).toBe(reason)
    const [{ incomplete }] = await cache.list()
    expect(incomplete).toBeGreaterThan(0)
    const repository = it_.open(ID)
    expectSame(await contents(repository.open('a.bin')), bytes)
    expect(server.bodies('a.bin').at(-1)?.range).toBe(`bytes=${incomplete}-`)
  })

  it('that is already aborted starts nothing', async () => {
    const { server } = it_
    server.add(ID, { 'a.bin': noise(20_000) })
    const reason = new Error('no')
    expect(await failure(it_.open(ID, { signal: AbortSignal.abort(reason) }).open('a.bin'))).toBe(reason)
    expect(server.connections).toBe(0)
  })
})
