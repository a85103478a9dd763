import { Tensor } from 'onnxruntime-common'
import { bytesSource } from '../core/file'
import { float32Data, sizeOf } from '../core/tensor'
import { warn } from '../core/warn'
import { blockedForms, type Forms, formsFor, standardForms } from '../graph/forms'
import { Graph } from '../graph/graph'
import type { Backend, ComputeType, Device } from '../runtime/backend'

const known = new WeakMap<Backend, Map<string, Promise<Forms>>>()

/**
 * The spelling for a device. What ONNX Runtime computes right on some machines only is tried with a small graph, once for
 * each backend: the blocked convolutions of the CPU, and the fused attention of WebGPU.
 */
export async function settleForms(backend: Backend, device: Device, compute: ComputeType): Promise<Forms> {
  const results = known.get(backend) ?? new Map<string, Promise<Forms>>()
  known.set(backend, results)
  const key = `${device} ${compute}`
  const result = results.get(key) ?? tryForms(backend, device, compute)
  results.set(key, result)
  try {
    return await result
  } catch {
    // A device that does not work is the first network's to tell.
    results.delete(key)
    return formsFor(device)
  }
}

async function tryForms(backend: Backend, device: Device, compute: ComputeType): Promise<Forms> {
  const forms = formsFor(device)
  if (device === 'webgpu') {
    if (await computesAttention(backend, compute, forms)) return forms
    warn('webgpu', 'this GPU computes the fused attention wrong: the plain one takes its place, with more memory')
    return { ...forms, attention: standardForms.attention }
  }
  if (device !== 'cpu' || compute !== 'fp32') return forms
  // The width of a block is the CPU's affair, and no function of ONNX Runtime tells it.
  for (const block of [16, 8]) {
    const isRight = await computesBlockedConv(backend, blockedForms(block)).catch(() => false)
    if (isRight) return blockedForms(block)
  }
  return forms
}

/**
 * ONNX Runtime's fused attention on WebGPU takes for granted that eight threads of the GPU work side by side, and computes
 * nonsense where fewer do (software renderers, some phones), without a word.
 */
function computesAttention(backend: Backend, compute: ComputeType, forms: Forms): Promise<boolean> {
  const heads = { heads: 2, headDim: 40 }
  const dims = [1, 64, heads.heads * heads.headDim]
  const graph = new Graph('a test of the attention', compute, forms)
  const [query, key, value] = ['query', 'key', 'value'].map((name) => graph.input(name, dims))
  graph.output('tried', forms.attention(query, key, value, heads), dims)
  graph.output('plain', standardForms.attention(query, key, value, heads), dims)
  const feeds = { query: wave(dims, 0.7), key: wave(dims, 1.3), value: wave(dims, 2.1) }
  // Rounding in float16 makes a hundredth; what is computed wrong is off by half.
  return agrees(backend, 'webgpu', graph, feeds, 0.05)
}

/** Not every CPU has blocked convolutions, and with blocks of another width they compute nonsense. */
function computesBlockedConv(backend: Backend, forms: Forms): Promise<boolean> {
  const shape = [32, 32, 3, 3]
  const dims = [1, 32, 5, 5]
  const graph = new Graph('a test of the convolution', 'fp32', forms)
  const image = graph.input('image', dims)
  const bytes = new Uint8Array(float32Data(wave(shape, 1.3), 'the weight').slice().buffer)
  const file = bytesSource(bytes, 'weights of a test')
  const weight = (name: string) => ({ name, type: 'F32', shape, file, offset: 0, length: bytes.byteLength }) as const
  const kernel = { kernel: 3, stride: 1, pads: [1, 1, 1, 1] }
  graph.output('tried', forms.conv2d(image, weight('tried weight'), undefined, kernel), dims)
  graph.output('plain', standardForms.conv2d(image, weight('plain weight'), undefined, kernel), dims)
  return agrees(backend, 'cpu', graph, { image: wave(dims, 0.7) }, 1e-4)
}

/** Whether the graph's outputs `tried` and `plain` differ by no more than that share of the largest value. */
async function agrees(
  backend: Backend,
  device: Device,
  graph: Graph,
  feeds: Readonly<Record<string, Tensor>>,
  tolerance: number,
): Promise<boolean> {
  const session = await backend.createSession(graph.finish(), { device })
  try {
    const outputs = await session.run(feeds)
    const [tried, plain] = [float32Data(outputs.tried, 'tried'), float32Data(outputs.plain, 'plain')]
    const scale = plain.reduce((largest, x) => Math.max(largest, Math.abs(x)), 0)
    return plain.every((x, i) => Math.abs(tried[i] - x) <= tolerance * scale)
  } finally {
    await session.dispose()
  }
}

/** Values without a pattern that a wrong order could keep. */
function wave(dims: readonly number[], step: number): Tensor {
  return new Tensor(
    'float32',
    Float32Array.from({ length: sizeOf(dims) }, (_, i) => Math.sin(i * step)),
    dims,
  )
}
