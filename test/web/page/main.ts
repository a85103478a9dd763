import { OnnxRuntimeWebBackend } from '../../../src/platform/web/onnxruntime'
import { bytesSource, type Device, env, httpRepository } from '../../../src/web'
import { backendContract } from '../../contracts/backend'
import { formErrors } from './forms'
import { runGolden } from './goldens'
import { watchGpuMemory, watchWasmMemory } from './gpu-memory'
import { draw } from './shapes'

env.wasmPaths = '/onnxruntime/'
const gpuMemory = watchGpuMemory()
const wasmMemory = watchWasmMemory()

const tools = {
  /** Runs one case of the backends' contract. */
  async contract(name: string, device: Device): Promise<void> {
    const file = async (bytes: Uint8Array, fileName: string) => bytesSource(bytes.slice(), fileName)
    await backendContract[name]({ backend: new OnnxRuntimeWebBackend(), device, file })
  },

  golden: runGolden,

  draw,

  formErrors,

  memory: () => ({ gpu: { ...gpuMemory }, wasm: wasmMemory.bytes }),

  /** The bytes of a file of a folder on the server, read in pieces. */
  async read(folder: string, path: string, ranges: readonly (readonly [number, number])[]) {
    const file = await httpRepository(folder).open(path)
    if (!file) return undefined
    const pieces = []
    for (const [offset, length] of ranges) pieces.push(Array.from(await file.read(offset, length)))
    return { size: file.size, pieces }
  },
}

/** What the page does for the tests. */
export type PageTools = typeof tools

Object.assign(globalThis, { tools })
