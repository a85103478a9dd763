import { Tensor } from 'onnxruntime-common'
import { LatentkitError } from '../../../src/core/errors'
import { bytesSource } from '../../../src/core/file'
import { webgpuForms } from '../../../src/graph/forms'
import { Graph } from '../../../src/graph/graph'
import { OnnxRuntimeWebBackend } from '../../../src/platform/web/onnxruntime'
import type { Session } from '../../../src/web'

const devices: GPUDevice[] = []

/** Remembers the devices that are requested from now on. */
export function watchDevices(): void {
  if (!('GPUAdapter' in globalThis)) return
  const { requestDevice } = GPUAdapter.prototype
  GPUAdapter.prototype.requestDevice = async function (descriptor) {
    const device = await requestDevice.call(this, descriptor)
    devices.push(device)
    return device
  }
}

/** The limits and features of the last device, and those of its adapter. */
export async function deviceLimits() {
  const adapter = await navigator.gpu.requestAdapter()
  const device = devices.at(-1)
  const limits = (of: GPUSupportedLimits | undefined) => [of?.maxBufferSize, of?.maxStorageBufferBindingSize]
  return { adapter: limits(adapter?.limits), device: limits(device?.limits), features: [...(device?.features ?? [])] }
}

let session: Session | undefined

/** y = x·Wᵀ with W a diagonal of twos, in a session that stays. */
export async function runOnGpu(): Promise<{ y?: number[]; code?: string; devices: number }> {
  if (!session) {
    const width = 64
    const matrix = Float32Array.from({ length: width * width }, (_, i) => (i % (width + 1) === 0 ? 2 : 0))
    const file = bytesSource(new Uint8Array(matrix.buffer), 'weights')
    const graph = new Graph('doubling', 'fp32', webgpuForms)
    const weight = {
      name: 'w',
      type: 'F32',
      shape: [width, width],
      file,
      offset: 0,
      length: 4 * width * width,
    } as const
    graph.output('y', webgpuForms.linear(graph.input('x', [1, width]), graph.weight(weight)), [1, width])
    session = await new OnnxRuntimeWebBackend().createSession(graph.finish(), { device: 'webgpu' })
  }
  try {
    const x = new Tensor(
      'float32',
      Float32Array.from({ length: 64 }, (_, i) => i),
      [1, 64],
    )
    const { y } = await session.run({ x })
    return { y: Array.from(y.data as Float32Array).slice(0, 3), devices: devices.length }
  } catch (error) {
    if (!(error instanceof LatentkitError)) throw error
    return { code: `${error.code}: ${error.message}`, devices: devices.length }
  }
}

/** Takes the GPU's device away, as a driver's reset does, at once or in the middle of a run. */
export async function loseDevice(during: boolean) {
  if (!during) {
    devices.at(-1)?.destroy()
    return undefined
  }
  const run = runOnGpu()
  // The run has begun when it is the queue's turn.
  await Promise.resolve().then(() => undefined)
  devices.at(-1)?.destroy()
  return run
}
