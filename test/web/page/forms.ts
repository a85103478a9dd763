import { Tensor } from 'onnxruntime-common'
import { cpuForms, type Forms, standardForms, webgpuForms } from '../../../src/graph/forms'
import { Graph, type Value } from '../../../src/graph/graph'
import { OnnxRuntimeWebBackend } from '../../../src/platform/web/onnxruntime'
import type { Device } from '../../../src/web'

const sets = { cpu: cpuForms, standard: standardForms, webgpu: webgpuForms }

/** The spellings that a device may be given. */
export type FormsName = keyof typeof sets

interface Operator {
  readonly inputs: Readonly<Record<string, readonly number[]>>
  write(forms: Forms, inputs: Readonly<Record<string, Value>>): Value
  /** The same in float64. */
  compute(inputs: Readonly<Record<string, Float32Array>>): number[]
}

const sizeOf = (dims: readonly number[]) => dims.reduce((product, dim) => product * dim, 1)
/** erf by its series: exact enough for |x| below 4. */
function erf(x: number): number {
  let sum = x
  for (let n = 1, term = x; n < 200; n++) {
    term *= -(x * x) / n
    sum += term / (2 * n + 1)
  }
  return (2 / Math.sqrt(Math.PI)) * sum
}

const elementwise = (write: keyof Pick<Forms, 'silu' | 'gelu' | 'quickGelu'>, f: (x: number) => number): Operator => ({
  inputs: { x: [2, 3, 40] },
  write: (forms, { x }) => forms[write](x),
  compute: ({ x }) => Array.from(x, f),
})

/** Attention, as a UNet has it at its levels: `heads` of `dim` channels, a picture of `queries` pixels at `keys` tokens. */
function attention(heads: number, dim: number, queries: number, keys: number): Operator {
  const width = heads * dim
  return {
    inputs: { query: [2, queries, width], key: [2, keys, width], value: [2, keys, width] },
    write: (forms, { query, key, value }) => forms.attention(query, key, value, { heads, headDim: dim }),
    compute({ query, key, value }) {
      const out = new Array<number>(2 * queries * width).fill(0)
      for (let batch = 0; batch < 2; batch++) {
        for (let head = 0; head < heads; head++) {
          for (let q = 0; q < queries; q++) {
            const from = (batch * queries + q) * width + head * dim
            const at = (k: number) => (batch * keys + k) * width + head * dim
            const scores = Array.from({ length: keys }, (_, k) => {
              let dot = 0
              for (let i = 0; i < dim; i++) dot += query[from + i] * key[at(k) + i]
              return dot / Math.sqrt(dim)
            })
            const most = Math.max(...scores)
            const weights = scores.map((score) => Math.exp(score - most))
            const total = weights.reduce((sum, weight) => sum + weight)
            for (let k = 0; k < keys; k++) {
              for (let i = 0; i < dim; i++) out[from + i] += (weights[k] / total) * value[at(k) + i]
            }
          }
        }
      }
      return out
    },
  }
}

const operators: Readonly<Record<string, Operator>> = {
  linear: {
    inputs: { x: [2, 9, 24], weight: [16, 24], bias: [16] },
    write: (forms, { x, weight, bias }) => forms.linear(x, weight, bias),
    compute: ({ x, weight, bias }) =>
      Array.from({ length: 18 * 16 }, (_, n) => {
        const [row, column] = [Math.floor(n / 16), n % 16]
        let sum = bias[column]
        for (let i = 0; i < 24; i++) sum += x[row * 24 + i] * weight[column * 24 + i]
        return sum
      }),
  },
  'linear of a vector, without bias': {
    inputs: { x: [2, 24], weight: [16, 24] },
    write: (forms, { x, weight }) => forms.linear(x, weight),
    compute: ({ x, weight }) =>
      Array.from({ length: 32 }, (_, n) => {
        let sum = 0
        for (let i = 0; i < 24; i++) sum += x[Math.floor(n / 16) * 24 + i] * weight[(n % 16) * 24 + i]
        return sum
      }),
  },
  groupNorm: {
    inputs: { x: [2, 8, 6, 5], scale: [8], bias: [8] },
    write: (forms, { x, scale, bias }) => forms.groupNorm(x, 4, scale, bias, 1e-5),
    compute({ x, scale, bias }) {
      const out: number[] = []
      for (let group = 0; group < 8; group++) {
        const values = Array.from(x.subarray(group * 60, group * 60 + 60))
        const mean = values.reduce((sum, value) => sum + value) / 60
        const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 60
        for (const [i, value] of values.entries()) {
          const channel = (((group * 60 + i) / 30) % 8) | 0
          out.push(((value - mean) / Math.sqrt(variance + 1e-5)) * scale[channel] + bias[channel])
        }
      }
      return out
    },
  },
  silu: elementwise('silu', (x) => x / (1 + Math.exp(-x))),
  gelu: elementwise('gelu', (x) => 0.5 * x * (1 + erf(x / Math.SQRT2))),
  quickGelu: elementwise('quickGelu', (x) => x / (1 + Math.exp(-1.702 * x))),
  'attention, heads of 4': attention(4, 4, 64, 64),
  'attention, heads of 8 at a text': attention(4, 8, 64, 77),
  'attention, heads of 40': attention(2, 40, 64, 64),
  'attention, heads of 64 at a text': attention(1, 64, 40, 77),
  'attention, heads of 160': attention(1, 160, 36, 36),
  'attention, one head of 512': attention(1, 512, 16, 16),
}

/** Sums of pseudo-random numbers: nearly normal, the same everywhere. */
function noise(count: number, seed: number): Float32Array<ArrayBuffer> {
  let state = seed
  const uniform = () => {
    state = (state * 48271) % 2147483647
    return state / 2147483647
  }
  return Float32Array.from({ length: count }, () => {
    let sum = -3
    for (let i = 0; i < 6; i++) sum += uniform()
    return sum * 1.4
  })
}

/** The largest error of every operator in one spelling on a device, relative to the largest value. */
export async function formErrors(device: Device, forms: FormsName): Promise<Record<string, number>> {
  const backend = new OnnxRuntimeWebBackend()
  const errors: Record<string, number> = {}
  for (const [name, { inputs, write, compute }] of Object.entries(operators)) {
    const graph = new Graph(name, 'fp32', sets[forms])
    const values = Object.entries(inputs).map(([input, dims]) => [input, graph.input(input, dims)] as const)
    graph.output('out', write(sets[forms], Object.fromEntries(values)), [])
    const data = Object.fromEntries(
      Object.entries(inputs).map(([input, dims], i) => [input, noise(sizeOf(dims), 11 + i)]),
    )
    const feeds = Object.entries(data).map(([input, array]) => [input, new Tensor('float32', array, inputs[input])])
    const session = await backend.createSession(graph.finish(), { device })
    const { out } = await session.run(Object.fromEntries(feeds))
    await session.dispose()
    const expected = compute(data)
    const actual = out.data as Float32Array
    if (actual.length !== expected.length) throw new Error(`${name}: got ${actual.length}, expected ${expected.length}`)
    const scale = Math.max(...expected.map(Math.abs))
    // Math.max passes NaN on, and so it does not count as no difference.
    errors[name] = expected.reduce((most, x, i) => Math.max(most, Math.abs(actual[i] - x) / scale), 0)
  }
  return errors
}
