import { OnnxRuntimeWebBackend } from '../../../src/platform/web/onnxruntime'
import { bytesSource, type Device, env } from '../../../src/web'
import { backendContract } from '../../contracts/backend'
import { multiplyFromHugeFile } from './big-file'
import { deviceLimits, loseDevice, runOnGpu, watchDevices } from './device-loss'
import { formErrors } from './forms'
import { runGolden } from './goldens'
import { decode, encode } from './images'
import { heldMemory, openAndClose } from './memory'
import { draw } from './shapes'

env.wasmPaths = '/onnxruntime/'
watchDevices()

const tools = {
  /** Runs one case of the backends' contract. */
  async contract(name: string, device: Device): Promise<void> {
    const file = async (bytes: Uint8Array, fileName: string) => bytesSource(bytes.slice(), fileName)
    await backendContract[name]({ backend: new OnnxRuntimeWebBackend(), device, file })
  },
  golden: runGolden,
  draw,
  formErrors,
  multiplyFromHugeFile,
  heldMemory,
  openAndClose,
  deviceLimits,
  loseDevice,
  runOnGpu,
  decode,
  encode,
}

/** What the page does for the tests. */
export type PageTools = typeof tools

Object.assign(globalThis, { tools })
