import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { openFile } from '../../src/platform/node/files'
import { OnnxRuntimeNodeBackend } from '../../src/platform/node/onnxruntime'
import { backendContract } from '../contracts/backend'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'latentkit-backend-'))
})
afterAll(() => rm(folder, { recursive: true }))

describe('onnxruntime-node keeps the contract of a backend: it', () => {
  it.each(Object.entries(backendContract))('%s', async (_, keeps) => {
    const file = async (bytes: Uint8Array, name: string) => {
      await writeFile(join(folder, name), bytes)
      return openFile(join(folder, name))
    }
    await keeps({ backend: new OnnxRuntimeNodeBackend(), device: 'cpu', file })
  })
})
