import { describe, expect, it } from 'vitest'
import { LatentkitError } from '../../src/core/errors'
import {
  FileNotFoundError,
  GatedRepositoryError,
  OfflineError,
  RepositoryNotFoundError,
  RevisionNotFoundError,
  UnauthorisedError,
  UnusableRepositoryError,
} from '../../src/hub/errors'
import { readFolder } from './server'
import { contents, failure, noise, tree, useWorkspace } from './workspace'

const hub = useWorkspace()
const ID = 'someone/model'
const text = async (file: Promise<Parameters<typeof contents>[0]>) =>
  new TextDecoder().decode(await contents(await file))

describe('what the Hub refuses', () => {
  it('a repository that does not exist', async () => {
    for (const token of [undefined, 'hf_good']) {
      const error = await failure(hub.open('no/such', { token }).open('config.json'))
      if (token === undefined) expect(error).toBeInstanceOf(RepositoryNotFoundError)
      expect(error.message).toMatch(/no\/such.*(token|HF_TOKEN)/)
    }
    const error = await failure(hub.open('no/such', { token: 'hf_good' }).open('config.json'))
    expect(error).toBeInstanceOf(RepositoryNotFoundError)
    expect(await tree(hub.folder)).toEqual([])
  })

  it('a revision that does not exist', async () => {
    hub.server.add(ID, { 'config.json': '{}' })
    const error = await failure(hub.open(ID, { revision: 'v9' }).open('config.json'))
    expect(error).toBeInstanceOf(RevisionNotFoundError)
    expect(error.message).toMatch(/v9.*branches, tags or commits/)
    const commit = await failure(hub.open(ID, { revision: 'f'.repeat(40) }).open('config.json'))
    expect(commit).toBeInstanceOf(RevisionNotFoundError)
  })

  it('a file that does not exist: none to be opened, an error when it is asked for', async () => {
    const commit = hub.server.add(ID, { 'config.json': '{}' })
    expect(await hub.open(ID).open('none.json')).toBeUndefined()
    expect(await hub.cache.isAbsent(ID, commit, 'none.json')).toBe(true)
    const error = await failure(hub.open(ID).prefetch(['config.json', 'none.json']))
    expect(error).toBeInstanceOf(FileNotFoundError)
    expect(error.message).toContain('none.json')
    expect(hub.server.bytesSent()).toBe(0)
  })

  it('a file that is listed but cannot be had', async () => {
    hub.server.add(ID, { 'config.json': '{}' })
    hub.server.fault = () => ({ kind: 'status', status: 404, headers: { 'x-error-code': 'EntryNotFound' } })
    expect(await failure(hub.open(ID).open('config.json'))).toBeInstanceOf(FileNotFoundError)
  })

  it('a gated repository, with and without a token', async () => {
    hub.server.add(ID, { 'config.json': '{}' }, { gated: true, token: 'hf_member' })
    for (const token of [undefined, 'hf_stranger']) {
      const error = await failure(hub.open(ID, { token }).open('config.json'))
      expect(error).toBeInstanceOf(GatedRepositoryError)
      expect(error.message).toContain(`${hub.server.endpoint}/${ID}`)
      expect(error.message).toMatch(/ask for access.*token.*HF_TOKEN/)
    }
    expect(await text(hub.open(ID, { token: 'hf_member' }).open('config.json'))).toBe('{}')
  })

  it('a private repository without the right token', async () => {
    hub.server.add(ID, { 'config.json': '{}' }, { token: 'hf_owner' })
    for (const token of [undefined, false, 'hf_stranger'] as const) {
      expect(await failure(hub.open(ID, { token }).open('config.json'))).toBeInstanceOf(RepositoryNotFoundError)
    }
    expect(await text(hub.open(ID, { token: 'hf_owner' }).open('config.json'))).toBe('{}')
  })

  it('a token that is none of the Hub', async () => {
    hub.server.add(ID, { 'config.json': '{}' })
    const error = await failure(hub.open(ID, { token: 'hf_wrong' }).open('config.json'))
    expect(error).toBeInstanceOf(UnauthorisedError)
    expect(error.message).toMatch(/Invalid credentials.*token: false/)
    expect(error.message).not.toContain('hf_wrong')
  })

  it('a file that the token may not read', async () => {
    hub.server.add(ID, { 'config.json': '{}' })
    hub.server.fault = () => ({ kind: 'status', status: 403 })
    expect(await failure(hub.open(ID).open('config.json'))).toBeInstanceOf(UnauthorisedError)
  })

  it('what nobody expects', async () => {
    hub.server.add(ID, { 'config.json': '{}' })
    hub.server.fault = () => ({ kind: 'status', status: 418 })
    expect(await failure(hub.open(ID).open('config.json'))).toMatchObject({ code: 'ERR_HUB_UNTRUSTED' })
  })
})

describe('every error', () => {
  it('is of latentkit, with its own class and code', async () => {
    const errors = await Promise.all([
      failure(hub.open('no/such').open('a')),
      failure(hub.open('no/such', { localFilesOnly: true }).open('a')),
    ])
    for (const error of errors) expect(error).toBeInstanceOf(LatentkitError)
    expect(new Set(errors.map((error) => error.code)).size).toBe(2)
    expect(errors.map((error) => error.name)).toEqual(['RepositoryNotFoundError', 'OfflineError'])
  })
})

describe('arguments that are none', () => {
  it.each(['', 'a/b/c', '../x', 'a//b', '/a', 'a b/c', 'a/b.git', 'a--b/c', '-a/b', 'a/.b', 'ä/b', 'x'.repeat(98)])(
    'the id %j',
    (id) => {
      expect(() => hub.open(id)).toThrow(/not a repository/)
    },
  )

  it.each(['ftp://hub', 'hub', ''])('the endpoint %j', (endpoint) => {
    expect(() => hub.open(ID, { endpoint })).toThrow(/not an endpoint/)
  })

  it.each([
    { concurrency: 0 },
    { concurrency: 1.5 },
    { timeout: 0 },
    { timeout: Number.NaN },
    { retries: -1 },
    { retries: Number.POSITIVE_INFINITY },
    { retryDelay: -1 },
  ])('%j', (options) => {
    expect(() => hub.open(ID, options)).toThrow(/out of range/)
  })

  it.each(['../fp16', 'a/b', ''])('the variant %j', async (variant) => {
    hub.server.add(ID, { 'model_index.json': '{"unet": ["diffusers", "UNet2DConditionModel"]}' })
    expect(await failure(hub.open(ID).prefetchPipeline({ variant }))).toMatchObject({ code: 'ERR_INVALID_ARGUMENT' })
  })
})

describe('a repository that is no pipeline for latentkit', () => {
  it('has no model_index.json', async () => {
    hub.server.add(ID, { 'config.json': '{}' })
    const error = await failure(hub.open(ID).prefetchPipeline())
    expect(error).toBeInstanceOf(UnusableRepositoryError)
    expect(error.message).toContain('model_index.json')
  })

  it.each(['{', '[]', '{"_class_name": "X"}', '7', 'null'])('has %s as its model_index.json', async (index) => {
    hub.server.add(ID, { 'model_index.json': index })
    expect(await failure(hub.open(ID).prefetchPipeline())).toMatchObject({ code: 'ERR_FORMAT' })
  })

  it('says which components cannot be used, and why, before it fetches weights', async () => {
    const files = readFolder('test/fixtures/models/tiny-sd1')
    const { 'unet/diffusion_pytorch_model.safetensors': unet, 'vae/config.json': _, ...rest } = files
    hub.server.add(ID, { ...rest, 'unet/diffusion_pytorch_model.bin': unet })
    const error = await failure(hub.open(ID).prefetchPipeline())
    expect(error).toBeInstanceOf(UnusableRepositoryError)
    expect(error.message).toMatch(/unet: it has no \.safetensors weights, only diffusion_pytorch_model\.bin/)
    expect(error.message).toMatch(/vae: the repository has no vae\/config\.json/)
    expect(hub.server.bytesSent()).toBe(files['model_index.json'].length)
  })

  it('has not the variant, but another', async () => {
    const { 'unet/diffusion_pytorch_model.safetensors': unet, ...rest } = readFolder('test/fixtures/models/tiny-sd1')
    hub.server.add(ID, { ...rest, 'unet/diffusion_pytorch_model.fp16.safetensors': unet })
    expect((await failure(hub.open(ID).prefetchPipeline())).message).toContain("pass variant: 'fp16'")
    const plan = await hub.open(ID).prefetchPipeline({ variant: 'fp16' })
    expect(plan.weights).toContain('unet/diffusion_pytorch_model.fp16.safetensors')
    expect((await failure(hub.open(ID).prefetchPipeline({ variant: 'bf16' }))).message).toContain('bf16')
  })
})

describe('offline', () => {
  const files = { 'config.json': '{}', 'model.safetensors': noise(20_000) }

  it('with nothing cached', async () => {
    hub.server.add(ID, files)
    const error = await failure(hub.open(ID, { localFilesOnly: true }).open('config.json'))
    expect(error).toBeInstanceOf(OfflineError)
    expect(error.message).toMatch(/nothing of it is in the cache.*latentkit download/)
    expect(hub.server.connections).toBe(0)
  })

  it('with some files cached: the error lists the others', async () => {
    const commit = hub.server.add(ID, files)
    await hub.open(ID).open('config.json')
    hub.server.forget()
    for (const revision of ['main', commit]) {
      const repository = hub.open(ID, { localFilesOnly: true, revision })
      expect(await text(repository.open('config.json'))).toBe('{}')
      const error = await failure(repository.prefetch(['config.json', 'model.safetensors', 'other.json']))
      expect(error).toBeInstanceOf(OfflineError)
      expect(error).toMatchObject({ missing: ['model.safetensors', 'other.json'] })
      expect(error.message).toContain('model.safetensors, other.json')
    }
    expect(hub.server.connections).toBe(0)
  })

  it('with a part of a pipeline cached: the error lists what it lacks', async () => {
    const pipeline = readFolder('test/fixtures/models/tiny-sd1')
    hub.server.add(ID, pipeline)
    await hub.open(ID).prefetch(['model_index.json', 'unet/config.json', 'vae/config.json', 'tokenizer/vocab.json'])
    await hub.server.stop()
    const error = await failure(hub.open(ID, { retries: 0 }).prefetchPipeline())
    expect(error).toBeInstanceOf(OfflineError)
    expect((error as OfflineError).missing).toEqual([
      'tokenizer/merges.txt',
      'text_encoder/config.json',
      'text_encoder/model.safetensors',
      'vae/diffusion_pytorch_model.safetensors',
      'unet/diffusion_pytorch_model.safetensors',
      'scheduler/scheduler_config.json',
    ])
  })

  it('although asked to update: what is cached does', async () => {
    hub.server.add(ID, files)
    await hub.open(ID).prefetchModel()
    await hub.server.stop()
    const plan = await hub.open(ID, { update: true }).prefetchModel()
    expect(plan.weights?.files).toEqual(['model.safetensors'])
  })

  it('the server fails instead: what is cached does', async () => {
    hub.server.add(ID, files)
    await hub.open(ID).prefetchModel()
    hub.server.apiFault = () => ({ kind: 'status', status: 503 })
    await hub.open(ID, { update: true }).prefetchModel()
    hub.server.apiFault = () => ({ kind: 'hang' })
    await hub.open(ID, { update: true, timeout: 200 }).prefetchModel()
  })

  it('does not try again and again to reach the Hub', async () => {
    hub.server.add(ID, files)
    await hub.open(ID).open('config.json')
    let asked = 0
    const counting: typeof fetch = async () => {
      asked++
      throw new TypeError('fetch failed')
    }
    const repository = hub.open(ID, { fetch: counting, retries: 2 })
    for (const path of ['a.json', 'b.json', 'c.json']) {
      expect(await failure(repository.open(path))).toBeInstanceOf(OfflineError)
    }
    expect(asked).toBe(3)
  })

  it('with a variant that only some components have', async () => {
    const pipeline = readFolder('test/fixtures/models/tiny-sd1')
    const { 'unet/diffusion_pytorch_model.safetensors': unet, ...rest } = pipeline
    hub.server.add(ID, { ...rest, 'unet/diffusion_pytorch_model.fp16.safetensors': unet })
    const plan = await hub.open(ID).prefetchPipeline({ variant: 'fp16' })
    expect(plan.lookedFor).toEqual([
      'text_encoder/model.fp16.safetensors',
      'vae/diffusion_pytorch_model.fp16.safetensors',
    ])
    // That the others do not have it is recorded, so the Hub need not be asked again …
    hub.server.forget()
    expect(await hub.open(ID).prefetchPipeline({ variant: 'fp16' })).toEqual(plan)
    expect(hub.server.connections).toBe(0)
    // … but a cache made by others may not say so: the Hub is asked if it can be, and else not missed.
    const [{ commit }] = (await hub.cache.list())[0].revisions
    for (const path of plan.lookedFor) expect(await hub.cache.isAbsent(ID, commit, path)).toBe(true)
  })
})

describe('an update that is broken off', () => {
  it('leaves the branch where it was', async () => {
    hub.server.add(ID, readFolder('test/fixtures/models/tiny-sd1'))
    await hub.open(ID).prefetchPipeline()
    const before = await hub.cache.commitOf(ID, 'main')
    hub.server.add(ID, {
      ...readFolder('test/fixtures/models/tiny-sd1'),
      'unet/diffusion_pytorch_model.safetensors': noise(50_000),
    })
    hub.server.fault = () => ({ kind: 'reset' })
    const update = hub.open(ID, { update: true, retries: 0 })
    // As a pipeline does it: it reads the index before it asks for the rest.
    expect(await update.open('model_index.json')).toBeDefined()
    expect(await failure(update.prefetchPipeline())).toMatchObject({ code: 'ERR_HUB_CONNECTION' })
    expect(await hub.cache.commitOf(ID, 'main')).toBe(before)
    await hub.open(ID, { localFilesOnly: true }).prefetchPipeline()
    hub.server.fault = () => undefined
    await hub.open(ID, { update: true }).prefetchPipeline()
    expect(await hub.cache.commitOf(ID, 'main')).not.toBe(before)
  })
})
