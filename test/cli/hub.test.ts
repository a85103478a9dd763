import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { fixture } from '../goldens'
import { readFolder } from '../hub/server'
import { useWorkspace } from '../hub/workspace'
import { latentkit, temporaryFolder } from './latentkit'

const hub = useWorkspace()

it('download fetches what a pipeline needs; cache lists, verifies and removes it', async () => {
  const cwd = temporaryFolder()
  const commit = hub.server.add('someone/tiny', {
    ...readFolder(fixture('models/tiny-sd1')),
    'unet/diffusion_pytorch_model.bin': new Uint8Array(50_000),
  })
  const place = ['--cache-dir', hub.folder]
  const run = (...args: string[]) => latentkit(cwd, ...args)

  const fetched = await run('download', 'someone/tiny', '--endpoint', hub.server.endpoint, ...place)
  expect(fetched).toMatchObject({ status: 0 })
  expect(fetched.stdout).toMatch(new RegExp(`^someone/tiny \\(${commit.slice(0, 7)}\\): \\d+ files, [\\d.]+ MB\\n$`))
  expect(fetched.stderr).toContain('unet/diffusion_pytorch_model.safetensors')
  expect(fetched.stderr).not.toContain('.bin')

  const listed = JSON.parse((await run('cache', 'ls', '--json', ...place)).stdout)
  expect(listed.repositories).toMatchObject([{ repository: 'someone/tiny', revisions: [{ commit, refs: ['main'] }] }])
  expect((await run('cache', 'ls', ...place)).stdout).toContain(`${commit.slice(0, 7)} (main)`)
  expect((await run('cache', 'verify', ...place)).status).toBe(0)

  const blobs = join(hub.folder, 'models--someone--tiny', 'blobs')
  writeFileSync(join(blobs, readdirSync(blobs)[0]), 'something else')
  const damaged = await run('cache', 'verify', 'someone/tiny', ...place)
  expect(damaged.status).toBe(1)
  expect(damaged.stdout).toContain('damaged: someone/tiny')
  expect((await run('cache', 'verify', '--remove-damaged', ...place)).status).toBe(0)
  expect((await run('cache', 'verify', ...place)).status).toBe(0)

  const removed = JSON.parse((await run('cache', 'rm', 'someone/tiny', '--json', ...place)).stdout)
  expect(removed.freed).toBeGreaterThan(1e6)
  expect(JSON.parse((await run('cache', 'ls', '--json', ...place)).stdout).repositories).toEqual([])
})

it('download says what is wrong', async () => {
  const cwd = temporaryFolder()
  const place = ['--cache-dir', hub.folder, '--endpoint', hub.server.endpoint]
  const unknown = await latentkit(cwd, 'download', 'someone/else', ...place)
  expect(unknown.status).toBe(1)
  expect(unknown.stderr).toMatch(/^error: .*someone\/else/)
  expect((await latentkit(cwd, 'download', '../else', ...place)).status).toBe(2)
  expect((await latentkit(cwd, 'download')).status).toBe(2)
})
