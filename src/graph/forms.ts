import type { WeightRef } from '../core/weights'
import type { Device } from '../runtime/backend'
import type { Value } from './graph'
import {
  add,
  blockedConv,
  type ConvShape,
  concat,
  conv,
  div,
  matmul,
  matmulTransposed,
  mul,
  reshape,
  shapeOf,
  sigmoid,
  softmax,
  transpose,
} from './ops'

/** Options of an attention. */
interface AttentionOptions {
  readonly heads: number
  /** Width of one head: channels / heads. */
  readonly headDim: number
  /** Added to the scores before the softmax, `[1, 1, query, key]` (a causal mask). */
  readonly bias?: Value
  /** Scores and softmax in float32, when the network computes in float16. */
  readonly upcast?: boolean
}

/**
 * How the operators that ONNX Runtime knows in several spellings are written. All spellings compute the same; which is
 * fastest, smallest and right depends on the execution provider, so the choice stands here and nowhere else.
 */
export interface Forms {
  /** x · Wᵀ + b, W as stored: `[out, in]`. */
  linear(x: Value, weight: Value, bias?: Value): Value
  /** Two-dimensional convolution of `[batch, in, h, w]`, the weight as stored: `[out, in, kernel, kernel]`. */
  conv2d(x: Value, weight: WeightRef, bias: Value | undefined, shape: ConvShape): Value
  /** Group normalisation of `[batch, channels, h, w]` (Wu & He 2018). */
  groupNorm(x: Value, groups: number, scale: Value, bias: Value, epsilon: number): Value
  /** x · sigmoid(x). */
  silu(x: Value): Value
  /** x · Φ(x), with the error function. */
  gelu(x: Value): Value
  /** x · sigmoid(1.702 x). */
  quickGelu(x: Value): Value
  /** softmax(q kᵀ / √d) v with `heads` heads; q `[batch, query, channels]`, k and v `[batch, key, channels]`. */
  attention(query: Value, key: Value, value: Value, options: AttentionOptions): Value
}

/** Only standard ONNX operators: what an exporter writes, and what every execution provider computes alike. */
export const standardForms: Forms = {
  linear(x, weight, bias) {
    const product = matmul(x, transpose(weight, [1, 0]))
    return bias ? add(product, bias) : product
  },

  conv2d: (x, weight, bias, shape) => conv(x, x.graph.weight(weight), bias, shape),

  groupNorm(x, groups, scale, bias, epsilon) {
    const { graph } = x
    const ones = graph.float(`ones[${groups}]`, new Float32Array(groups).fill(1), [groups])
    const zeros = graph.float(`zeros[${groups}]`, new Float32Array(groups), [groups])
    const grouped = reshape(x, [0, groups, -1])
    const normal = graph.node('InstanceNormalization', [grouped, ones, zeros], { epsilon: { float: epsilon } })
    const perChannel = [1, -1, 1, 1]
    return add(mul(reshape(normal, shapeOf(x)), reshape(scale, perChannel)), reshape(bias, perChannel))
  },

  silu: (x) => mul(x, sigmoid(x)),

  gelu(x) {
    const { graph } = x
    const erf = graph.node('Erf', [div(x, graph.scalar(Math.SQRT2))])
    return mul(mul(x, add(erf, graph.scalar(1))), graph.scalar(0.5))
  },

  quickGelu: (x) => mul(x, sigmoid(mul(x, x.graph.scalar(1.702)))),

  attention(query, key, value, { heads, headDim, bias, upcast }) {
    const { graph } = query
    const wide = upcast && graph.compute === 'fp16'
    const widen = (x: Value) => (wide ? graph.cast(x, 'float') : x)
    const perHead = [0, 0, heads, headDim]
    const q = widen(transpose(reshape(query, perHead), [0, 2, 1, 3]))
    const k = widen(transpose(reshape(key, perHead), [0, 2, 3, 1]))
    const v = transpose(reshape(value, perHead), [0, 2, 1, 3])
    // Scaling the query instead of the scores touches fewer numbers, and keeps float16 scores in range.
    const scale = graph.scalar(headDim ** -0.5)
    const scaled = mul(q, wide ? graph.cast(scale, 'float') : scale)
    const product = matmul(scaled, k)
    const scores = bias ? add(product, widen(bias)) : product
    const weights = wide ? graph.cast(softmax(scores), graph.computeType) : softmax(scores)
    return reshape(transpose(matmul(weights, v), [0, 2, 1, 3]), [0, 0, heads * headDim])
  },
}

/** ONNX Runtime's own operators for the CPU: fused, flash attention in cache-sized blocks, weights never transposed. */
export const cpuForms: Forms = {
  ...standardForms,

  linear(x, weight, bias) {
    const product = matmulTransposed(x, weight)
    return bias ? add(product, bias) : product
  },

  silu: (x) => x.graph.node('QuickGelu', [x], { alpha: { float: 1 } }, 'com.microsoft'),

  gelu: (x) => x.graph.node('Gelu', [x], {}, 'com.microsoft'),

  quickGelu: (x) => x.graph.node('QuickGelu', [x], { alpha: { float: 1.702 } }, 'com.microsoft'),

  attention(query, key, value, options) {
    if (options.bias) return standardForms.attention(query, key, value, options)
    const attributes = { num_heads: { int: options.heads } }
    return query.graph.node('MultiHeadAttention', [query, key, value], attributes, 'com.microsoft')
  },
}

/**
 * Weights of more numbers than this stay as they are: ONNX Runtime would take seconds to bring them into another order,
 * and those of Stable Diffusion's networks belong to the smallest images, where there is least to win.
 */
const LARGEST_BLOCKED = 12 * 2 ** 20

/**
 * For CPUs on which ONNX Runtime's convolutions have a blocked layout: half again as fast as the others. Its
 * optimisation `all` puts it in too, for every weight, and takes ten seconds for it where this takes one.
 *
 * @param block - How many channels make a block on this CPU (16 with AVX-512, 8 without).
 */
export const blockedForms = (block: number): Forms => ({
  ...cpuForms,

  conv2d(x, weight, bias, shape) {
    const [out, into, height, width] = weight.shape
    const isLarge = out * into * height * width > LARGEST_BLOCKED
    if (shape.kernel === 1 || out % block !== 0 || into % block !== 0 || isLarge) {
      return cpuForms.conv2d(x, weight, bias, shape)
    }
    const parts = { ...weight, shape: [out / block, block, into / block, block, height, width] }
    const ordered = transpose(x.graph.weight(parts), [0, 2, 4, 5, 3, 1])
    return blockedConv(x, reshape(ordered, weight.shape), bias, shape, out)
  },
})

/**
 * For WebGPU. A product that takes the weight as it is stored goes straight from the file to the GPU: a transposed weight
 * is made by the CPU, and in a browser a second copy of the network stays in WebAssembly's memory. The fused attention
 * does not keep the scores: at 512×512 they alone are a gigabyte.
 */
export const webgpuForms: Forms = {
  ...cpuForms,

  linear(x, weight, bias) {
    const { graph } = x
    const rows = graph.node('Flatten', [x], { axis: { int: -1 } })
    const product = graph.node('Gemm', [rows, weight, bias], { transB: { int: 1 } })
    return reshape(product, concat([shapeOf(x, 0, -1), graph.int64([-1])], 0))
  },

  attention(query, key, value, options) {
    const { graph } = query
    const isWide = options.upcast && graph.compute === 'fp16'
    if (options.bias || !isWide) return cpuForms.attention(query, key, value, options)
    const [q, k, v] = [query, key, value].map((x) => graph.cast(x, 'float'))
    return graph.cast(cpuForms.attention(q, k, v, options), graph.computeType)
  },
}

/** The spelling for a device. */
export function formsFor(device: Device): Forms {
  if (device === 'cpu' || device === 'wasm') return cpuForms
  return device === 'webgpu' ? webgpuForms : standardForms
}
