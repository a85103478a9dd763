import { Tensor } from 'onnxruntime-common'
import { InvalidArgumentError } from './errors'

/** The number of elements of a tensor of these dimensions. */
export function sizeOf(dims: readonly number[]): number {
  return dims.reduce((product, dim) => product * dim, 1)
}

/** A float32 tensor over `data` (not copied) or of zeros. */
export function float32Tensor(dims: readonly number[], data = new Float32Array(sizeOf(dims))): Tensor {
  return new Tensor('float32', data, dims)
}

/** The values of a float32 tensor, without a copy; any other type is an error that names `what`. */
export function float32Data(tensor: Tensor, what: string): Float32Array {
  if (!(tensor.data instanceof Float32Array)) {
    throw new InvalidArgumentError('tensor', `${what} has the wrong type: got ${tensor.type}, expected float32`)
  }
  return tensor.data
}

/** Throws unless the tensor's dimensions equal `expected`; `what` names it in the message. */
export function expectDims(tensor: Tensor, expected: readonly number[], what: string): void {
  const { dims } = tensor
  if (dims.length !== expected.length || dims.some((dim, i) => dim !== expected[i])) {
    throw new InvalidArgumentError(
      'tensor',
      `${what} has the wrong shape: got [${dims.join(', ')}], expected [${expected.join(', ')}]`,
    )
  }
}

/**
 * Σ coefficients[i] · terms[i] in one pass, accumulated in float64 and rounded once. The tensors have one shape;
 * terms with coefficient 0 are skipped, so that a factor of an infinite value stays out.
 */
export function linearCombination(
  coefficients: readonly number[],
  terms: readonly Tensor[],
  out?: Float32Array<ArrayBuffer>,
): Tensor {
  const [first] = terms
  const arrays = terms.map((term) => float32Data(term, 'a term'))
  for (const term of terms) expectDims(term, first.dims, 'a term')
  // All of it is written below. A copy is got in a third of the time that cleared memory takes.
  const result = out ?? arrays[0].slice()
  const used = coefficients.map((_, i) => i).filter((i) => coefficients[i] !== 0)
  const [a, b, c, d, e] = used.map((i) => arrays[i])
  const [p, q, r, s, t] = used.map((i) => coefficients[i])
  // Steps of samplers are sums of one to five terms: loops of their own make them several times as fast.
  if (used.length === 1) {
    for (let n = 0; n < result.length; n++) result[n] = p * a[n]
  } else if (used.length === 2) {
    for (let n = 0; n < result.length; n++) result[n] = p * a[n] + q * b[n]
  } else if (used.length === 3) {
    for (let n = 0; n < result.length; n++) result[n] = p * a[n] + q * b[n] + r * c[n]
  } else if (used.length === 4) {
    for (let n = 0; n < result.length; n++) result[n] = p * a[n] + q * b[n] + r * c[n] + s * d[n]
  } else if (used.length === 5) {
    for (let n = 0; n < result.length; n++) result[n] = p * a[n] + q * b[n] + r * c[n] + s * d[n] + t * e[n]
  } else {
    const sums = new Float64Array(result.length)
    for (const i of used) {
      const [term, coefficient] = [arrays[i], coefficients[i]]
      for (let n = 0; n < sums.length; n++) sums[n] += coefficient * term[n]
    }
    result.set(sums)
  }
  return new Tensor('float32', result, first.dims)
}

/** Tensors of one type, joined along the first dimension. */
export function concatBatch(tensors: readonly Tensor[]): Tensor {
  if (tensors.length === 1) return tensors[0]
  const [first] = tensors
  const data = new Float32Array(tensors.reduce((sum, tensor) => sum + tensor.size, 0))
  let offset = 0
  let batch = 0
  for (const tensor of tensors) {
    expectDims(tensor, [tensor.dims[0], ...first.dims.slice(1)], 'a tensor of the batch')
    data.set(float32Data(tensor, 'a tensor of the batch'), offset)
    offset += tensor.size
    batch += tensor.dims[0]
  }
  return new Tensor('float32', data, [batch, ...first.dims.slice(1)])
}

/** Items `start` to `end` of the first dimension, as a view on the same memory. */
export function sliceBatch(tensor: Tensor, start: number, end: number): Tensor {
  const stride = tensor.size / tensor.dims[0]
  const data = float32Data(tensor, 'a batch').subarray(start * stride, end * stride)
  return new Tensor('float32', data, [end - start, ...tensor.dims.slice(1)])
}

/** Every item of the first dimension `count` times in a row (`repeat_interleave`). */
export function repeatBatch(tensor: Tensor, count: number): Tensor {
  if (count === 1) return tensor
  const items = Array.from({ length: tensor.dims[0] }, (_, i) => sliceBatch(tensor, i, i + 1))
  return concatBatch(items.flatMap((item) => Array.from({ length: count }, () => item)))
}
