import { Tensor } from 'onnxruntime-common'
import { float32Data } from '../core/tensor'
import { warn } from '../core/warn'
import { type Forms, formsFor, standardForms } from '../graph/forms'
import { Graph } from '../graph/graph'
import type { Backend, ComputeType, Device } from '../runtime/backend'

const TOKENS = 64
const HEADS = 2
const HEAD_DIM = 40
/** Rounding in float16 makes a hundredth; what is computed wrong is off by half. */
const TOLERANCE = 0.05

const known = new WeakMap<Backend, Map<string, Promise<boolean>>>()

/**
 * The spelling for a device. On WebGPU it is tried first: ONNX Runtime's fused attention takes for granted that eight
 * threads of the GPU work side by side, and computes nonsense where fewer do (software renderers, some phones), without a
 * word. There the attention is spelled out.
 */
export async function settleForms(backend: Backend, device: Device, compute: ComputeType): Promise<Forms> {
  const forms = formsFor(device)
  if (device !== 'webgpu') return forms
  const results = known.get(backend) ?? new Map<string, Promise<boolean>>()
  known.set(backend, results)
  const isRight = results.get(compute) ?? computesAttention(backend, device, compute, forms)
  results.set(compute, isRight)
  try {
    return (await isRight) ? forms : { ...forms, attention: standardForms.attention }
  } catch {
    // A device that does not work is the first network's to tell.
    results.delete(compute)
    return forms
  }
}

/** Whether the attention of these forms gives the same as the one made of standard operators. */
async function computesAttention(
  backend: Backend,
  device: Device,
  compute: ComputeType,
  forms: Forms,
): Promise<boolean> {
  const dims = [1, TOKENS, HEADS * HEAD_DIM]
  const graph = new Graph('a test of the attention', compute, forms)
  const [query, key, value] = ['query', 'key', 'value'].map((name) => graph.input(name, dims))
  const options = { heads: HEADS, headDim: HEAD_DIM }
  graph.output('fused', forms.attention(query, key, value, options), dims)
  graph.output('plain', standardForms.attention(query, key, value, options), dims)
  const session = await backend.createSession(graph.finish(), { device })
  try {
    const wave = (step: number) =>
      new Tensor(
        'float32',
        Float32Array.from({ length: TOKENS * HEADS * HEAD_DIM }, (_, i) => Math.sin(i * step)),
        dims,
      )
    const outputs = await session.run({ query: wave(0.7), key: wave(1.3), value: wave(2.1) })
    const [fused, plain] = [float32Data(outputs.fused, 'fused'), float32Data(outputs.plain, 'plain')]
    const scale = plain.reduce((largest, x) => Math.max(largest, Math.abs(x)), 0)
    const isRight = plain.every((x, i) => Math.abs(fused[i] - x) <= TOLERANCE * scale)
    if (!isRight) {
      warn('webgpu', 'this GPU computes the fused attention wrong: the plain one takes its place, with more memory')
    }
    return isRight
  } finally {
    await session.dispose()
  }
}
