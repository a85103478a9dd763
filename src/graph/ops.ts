import type { OnnxAttribute } from '../formats/onnx'
import type { Value } from './graph'

const microsoft = 'com.microsoft'
const nchwc = 'com.microsoft.nchwc'

/** a + b, broadcast. */
export const add = (a: Value, b: Value): Value => a.graph.node('Add', [a, b])

/** a − b, broadcast. */
export const sub = (a: Value, b: Value): Value => a.graph.node('Sub', [a, b])

/** a · b, broadcast. */
export const mul = (a: Value, b: Value): Value => a.graph.node('Mul', [a, b])

/** a / b, broadcast. */
export const div = (a: Value, b: Value): Value => a.graph.node('Div', [a, b])

/** 1 / (1 + e^−x). */
export const sigmoid = (x: Value): Value => x.graph.node('Sigmoid', [x])

/** Matrix product over the last two dimensions. */
export const matmul = (a: Value, b: Value): Value => a.graph.node('MatMul', [a, b])

/** x · Wᵀ with W as PyTorch stores it, `[out, in]`; nothing is transposed in memory. */
export const matmulTransposed = (x: Value, weight: Value): Value =>
  x.graph.node('FusedMatMul', [x, weight], { transB: { int: 1 } }, microsoft)

/** e^xᵢ / Σ e^xⱼ over the last dimension. */
export const softmax = (x: Value): Value => x.graph.node('Softmax', [x], { axis: { int: -1 } })

/** The value in another shape: 0 copies the dimension, −1 is what is left. */
export const reshape = (x: Value, shape: readonly number[] | Value): Value =>
  x.graph.node('Reshape', [x, 'graph' in shape ? shape : x.graph.int64(shape)])

/** The dimensions from `start` up to `end` as an int64 vector. */
export const shapeOf = (x: Value, start?: number, end?: number): Value => {
  const attributes: Record<string, OnnxAttribute> = {}
  if (start !== undefined) attributes.start = { int: start }
  if (end !== undefined) attributes.end = { int: end }
  return x.graph.node('Shape', [x], attributes)
}

/** The dimensions in another order. */
export const transpose = (x: Value, order: readonly number[]): Value =>
  x.graph.node('Transpose', [x], { perm: { ints: order } })

/** Values joined along a dimension. */
export const concat = (values: readonly Value[], axis: number): Value =>
  values[0].graph.node('Concat', values, { axis: { int: axis } })

/** The value in `count` equal parts along a dimension. */
export const split = (x: Value, count: number, axis: number): Value[] =>
  x.graph.nodeWithOutputs(count, 'Split', [x], { axis: { int: axis }, num_outputs: { int: count } })

/** Elements `start` to `end` (each an int64 vector of one) of a dimension. */
export const slice = (x: Value, start: Value, end: Value, axis: number): Value =>
  x.graph.node('Slice', [x, start, end, x.graph.int64([axis])])

/** Rows of `table` by int index. */
export const gather = (table: Value, indices: Value): Value => table.graph.node('Gather', [table, indices])

/** Kernel and stride of a convolution, the same in both directions; `pads` is [top, left, bottom, right]. */
export interface ConvShape {
  readonly kernel: number
  readonly stride: number
  readonly pads: readonly number[]
}

const convAttributes = ({ kernel, stride, pads }: ConvShape): Record<string, OnnxAttribute> => ({
  kernel_shape: { ints: [kernel, kernel] },
  strides: { ints: [stride, stride] },
  pads: { ints: pads },
})

/** Two-dimensional convolution. */
export const conv = (x: Value, weight: Value, bias: Value | undefined, shape: ConvShape): Value =>
  x.graph.node('Conv', [x, weight, bias], convAttributes(shape))

/**
 * Two-dimensional convolution in ONNX Runtime's blocked layout (NCHWc), which it computes without copying patches.
 *
 * @param weight - `[out, in, kernel, kernel]` in shape, its values ordered as `[out / n, in / n, kernel, kernel, n, n]`
 *   with the block's input channels before its output channels.
 * @param channels - How many the result has.
 */
export const blockedConv = (
  x: Value,
  weight: Value,
  bias: Value | undefined,
  shape: ConvShape,
  channels: number,
): Value => {
  const attributes = { ...convAttributes(shape), dilations: { ints: [1, 1] }, group: { int: 1 } }
  const blocked = x.graph.node('Conv', [x.graph.node('ReorderInput', [x], {}, nchwc), weight, bias], attributes, nchwc)
  return x.graph.node('ReorderOutput', [blocked], { channels: { int: channels } }, nchwc)
}

/** Nearest-neighbour resize of `[batch, channels, h, w]` to a height and width (an int64 vector of two). */
export const resizeNearest = (x: Value, size: Value): Value =>
  x.graph.node('Resize', [x, undefined, undefined, size], {
    mode: { string: 'nearest' },
    coordinate_transformation_mode: { string: 'asymmetric' },
    nearest_mode: { string: 'floor' },
    axes: { ints: [2, 3] },
  })

/** Nearest-neighbour enlargement of `[batch, channels, h, w]` to twice its height and width. */
export const upsample2x = (x: Value): Value =>
  x.graph.node('Resize', [x, undefined, x.graph.scales([1, 1, 2, 2])], {
    mode: { string: 'nearest' },
    coordinate_transformation_mode: { string: 'asymmetric' },
    nearest_mode: { string: 'floor' },
  })

/** Layer normalisation over the last dimension (Ba et al. 2016). */
export const layerNorm = (x: Value, scale: Value, bias: Value, epsilon: number): Value =>
  x.graph.node('LayerNormalization', [x, scale, bias], { axis: { int: -1 }, epsilon: { float: epsilon } })
