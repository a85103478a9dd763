import { describe, expect, it } from 'vitest'
import { bytesSource } from '../../src/core/file'
import { Generator } from '../../src/core/generator'
import { sizeOf } from '../../src/core/tensor'
import { cpuForms, type Forms, standardForms } from '../../src/graph/forms'
import { Graph } from '../../src/graph/graph'
import { settleForms } from '../../src/models/settle-forms'
import { OnnxRuntimeNodeBackend } from '../../src/platform/node/onnxruntime'
import type { Backend, GraphSource, Session, SessionOptions } from '../../src/runtime/backend'
import { difference } from '../goldens'

const backend = new OnnxRuntimeNodeBackend()

interface Case {
  readonly weight: readonly number[]
  readonly stride?: number
  readonly pads?: readonly number[]
}

/** The operators of a convolution in these forms, and its result on noise. */
async function convolve(forms: Forms, { weight: shape, stride = 1, pads = [1, 1, 1, 1] }: Case) {
  const [out, into, kernel] = shape
  const generator = new Generator(3)
  const bytes = new Uint8Array((generator.randn(shape).data as Float32Array<ArrayBuffer>).buffer)
  const file = bytesSource(bytes, 'weights')
  const graph = new Graph('a convolution', 'fp32', forms)
  const image = graph.input('image', [2, into, 'height', 'width'])
  const weight = { name: 'weight', type: 'F32', shape, file, offset: 0, length: 4 * sizeOf(shape) } as const
  const bias = graph.float(
    'bias',
    Float32Array.from({ length: out }, (_, i) => Math.sin(i)),
    [out],
  )
  graph.output('result', forms.conv2d(image, weight, bias, { kernel, stride, pads }), [2, out, 'h', 'w'])
  const source = graph.finish()
  const session = await backend.createSession(source, { device: 'cpu' })
  const { result } = await session.run({ image: generator.randn([2, into, 7, 9]) })
  await session.dispose()
  return { isBlocked: new TextDecoder('latin1').decode(source.model).includes('com.microsoft.nchwc'), result }
}

describe('the forms for the CPU', () => {
  it.each<Case>([
    { weight: [32, 64, 3, 3] },
    { weight: [48, 16, 3, 3], stride: 2 },
    { weight: [16, 16, 3, 3], stride: 2, pads: [0, 0, 1, 1] },
    { weight: [16, 32, 5, 5], pads: [2, 2, 2, 2] },
  ])('convolve in blocks what standard operators convolve: $weight', async (each) => {
    const { isBlocked, result } = await convolve(await settleForms(backend, 'cpu', 'fp32'), each)
    const expected = await convolve(standardForms, each)
    // Other processors have blocks in some builds of ONNX Runtime only.
    if (process.arch === 'x64') expect(isBlocked).toBe(true)
    expect(expected.isBlocked).toBe(false)
    expect(result.dims).toEqual(expected.result.dims)
    // Sums of up to 800 products in another order.
    const { largest, scale } = difference(result, expected.result)
    expect(largest / scale).toBeLessThan(2e-6)
  })

  it.each<Case>([
    { weight: [4, 32, 3, 3] },
    { weight: [32, 4, 3, 3] },
    { weight: [32, 32, 1, 1], pads: [0, 0, 0, 0] },
    { weight: [1280, 1280, 3, 3] },
  ])('leave alone what blocks do not fit or do not help: $weight', async (each) => {
    const { isBlocked } = await convolve(await settleForms(backend, 'cpu', 'fp32'), each)
    expect(isBlocked).toBe(false)
  })

  it('are tried once for each backend', async () => {
    let tried = 0
    const counting = wrap((session) => {
      tried++
      return session
    })
    const first = await settleForms(counting, 'cpu', 'fp32')
    const count = tried
    expect(await settleForms(counting, 'cpu', 'fp32')).toBe(first)
    expect(tried).toBe(count)
  })

  it('have no blocks where they are computed wrong, or not at all', async () => {
    const wrong = wrap((session) => ({
      ...session,
      run: async (feeds) => ({ ...(await session.run(feeds)), tried: feeds.image }),
      dispose: () => session.dispose(),
    }))
    expect(await settleForms(wrong, 'cpu', 'fp32')).toBe(cpuForms)
    const missing = wrap(() => {
      throw new Error('NOT_IMPLEMENTED')
    })
    expect(await settleForms(missing, 'cpu', 'fp32')).toBe(cpuForms)
  })

  it('have no blocks in float16, nor on wasm', async () => {
    expect(await settleForms(backend, 'cpu', 'fp16')).toBe(cpuForms)
    expect(await settleForms(backend, 'wasm', 'fp32')).toBe(cpuForms)
  })
})

/** The native backend with other sessions. */
function wrap(change: (session: Session) => Session): Backend {
  return {
    name: 'a test',
    devices: () => backend.devices(),
    preferredType: (device) => backend.preferredType(device),
    createSession: async (source: GraphSource, options: SessionOptions) =>
      change(await backend.createSession(source, options)),
  }
}
