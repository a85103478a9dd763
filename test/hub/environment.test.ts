import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { HubRepository } from '../../src/hub/repository'
import { openHubRepository, openRepository } from '../../src/platform/node/hub'
import { hubEnvironment } from '../../src/platform/node/hub-environment'
import { contents, failure, useWorkspace } from './workspace'

let home = ''
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'latentkit-home-'))
})
afterAll(() => rm(home, { recursive: true, force: true }))

describe('the environment', () => {
  const cacheDir = (env: Record<string, string>) => hubEnvironment(env, home).cacheDir

  it('says where the cache is, as for huggingface_hub', () => {
    expect(cacheDir({})).toBe(join(home, '.cache/huggingface/hub'))
    expect(cacheDir({ XDG_CACHE_HOME: '/x' })).toBe('/x/huggingface/hub')
    expect(cacheDir({ XDG_CACHE_HOME: '/x', HF_HOME: '/y' })).toBe('/y/hub')
    expect(cacheDir({ HF_HOME: '/y', HUGGINGFACE_HUB_CACHE: '/z' })).toBe('/z')
    expect(cacheDir({ HF_HOME: '/y', HUGGINGFACE_HUB_CACHE: '/z', HF_HUB_CACHE: '/w' })).toBe('/w')
    expect(cacheDir({ HF_HOME: '~/models' })).toBe(join(home, 'models/hub'))
    expect(cacheDir({ HF_HUB_CACHE: '' })).toBe(join(home, '.cache/huggingface/hub'))
  })

  it('says which token, else the file that logging in wrote does', async () => {
    const token = (env: Record<string, string>) => hubEnvironment(env, home).token
    expect(token({})).toBeUndefined()
    await mkdir(join(home, '.cache/huggingface'), { recursive: true })
    await writeFile(join(home, '.cache/huggingface/token'), 'hf_file\n')
    expect(token({})).toBe('hf_file')
    expect(token({ HF_TOKEN: ' hf_env\n' })).toBe('hf_env')
    expect(token({ HUGGING_FACE_HUB_TOKEN: 'hf_old' })).toBe('hf_old')
    expect(token({ HF_HOME: join(home, 'elsewhere') })).toBeUndefined()
    await writeFile(join(home, 'my-token'), 'hf_mine')
    expect(token({ HF_TOKEN_PATH: '~/my-token' })).toBe('hf_mine')
    expect(token({ HF_TOKEN: 'hf_env', HF_HUB_DISABLE_IMPLICIT_TOKEN: '1' })).toBeUndefined()
    await writeFile(join(home, 'my-token'), '\n')
    expect(token({ HF_TOKEN_PATH: '~/my-token' })).toBeUndefined()
  })

  it.each(['1', 'ON', 'yes', 'True'])('is offline with %s', (value) => {
    expect(hubEnvironment({ HF_HUB_OFFLINE: value }, home).isOffline).toBe(true)
    expect(hubEnvironment({ TRANSFORMERS_OFFLINE: value }, home).isOffline).toBe(true)
    expect(hubEnvironment({ HF_HUB_DISABLE_XET: value }, home).xet).toBe(false)
  })

  it.each(['0', '', 'no', 'off'])('is online with %j', (value) => {
    expect(hubEnvironment({ HF_HUB_OFFLINE: value }, home)).toMatchObject({ isOffline: false, xet: true })
  })
})

describe('opening by name', () => {
  const hub = useWorkspace()
  const ID = 'someone/model'
  afterEach(() => vi.unstubAllEnvs())

  it('takes what is left out from the environment', async () => {
    hub.server.add(ID, { 'config.json': '{}' }, { token: 'hf_secret' })
    vi.stubEnv('HF_ENDPOINT', `${hub.server.endpoint}/`)
    vi.stubEnv('HF_HUB_CACHE', hub.folder)
    vi.stubEnv('HF_TOKEN', 'hf_secret')
    const repository = await openRepository(ID)
    expect(repository).toBeInstanceOf(HubRepository)
    const file = await repository.open('config.json')
    expect(file?.path?.startsWith(hub.folder)).toBe(true)
    expect(await failure(openHubRepository(ID, { token: false, update: true }).open('config.json'))).toMatchObject({
      code: 'ERR_HUB_REPOSITORY_NOT_FOUND',
    })
    vi.stubEnv('HF_HUB_OFFLINE', '1')
    hub.server.forget()
    expect(new TextDecoder().decode(await contents(openHubRepository(ID).open('config.json')))).toBe('{}')
    expect(await failure(openHubRepository(ID).open('b.json'))).toMatchObject({ code: 'ERR_HUB_OFFLINE' })
    expect(hub.server.connections).toBe(0)
    expect(await openHubRepository(ID, { localFilesOnly: false }).open('b.json')).toBeUndefined()
  })

  it('takes a folder where there is one, and never asks the Hub about it', async () => {
    const repository = await openRepository('test/fixtures/models/tiny-sd1', { endpoint: hub.server.endpoint })
    expect(repository).not.toBeInstanceOf(HubRepository)
    expect(await repository.open('model_index.json')).toBeDefined()
    expect(hub.server.connections).toBe(0)
  })

  it.each(['./no/such/folder', '/no/such', 'a/b/c', 'C:\\models', ''])(
    'says of %j that there is no such folder',
    async (name) => {
      const error = await failure(openRepository(name))
      expect(error.code).toBe('ERR_NOT_FOUND')
      expect(error.message).toContain('no folder')
    },
  )

  it('refuses an empty cacheDir', async () => {
    expect(await failure(openRepository(ID, { cacheDir: '' }))).toMatchObject({ code: 'ERR_INVALID_ARGUMENT' })
  })
})
