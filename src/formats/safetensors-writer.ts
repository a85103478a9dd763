import type { Tensor } from 'onnxruntime-common'
import { InvalidArgumentError } from '../core/errors'
import { sizeOf } from '../core/tensor'
import { bitsOf, type SafetensorsDtype } from './safetensors-dtypes'

/** A tensor to be written: little-endian bytes of the given type. */
export interface RawTensor {
  readonly dtype: SafetensorsDtype
  readonly shape: readonly number[]
  readonly data: Uint8Array
}

const DTYPES: Partial<Record<Tensor.Type, SafetensorsDtype>> = {
  float64: 'F64',
  float32: 'F32',
  float16: 'F16',
  int64: 'I64',
  int32: 'I32',
  int16: 'I16',
  int8: 'I8',
  uint64: 'U64',
  uint32: 'U32',
  uint16: 'U16',
  uint8: 'U8',
  bool: 'BOOL',
}

/**
 * A safetensors file with these tensors.
 *
 * @param tensors - By name: tensors of ONNX Runtime, or bytes with their type and shape.
 * @param metadata - Free-form notes for the header, such as `{ format: 'pt' }`.
 * @throws InvalidArgumentError when bytes and shape do not agree, or a tensor's type has no name in the format.
 */
export function writeSafetensors(
  tensors: Readonly<Record<string, Tensor | RawTensor>>,
  metadata?: Readonly<Record<string, string>>,
): Uint8Array<ArrayBuffer> {
  const raw = Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, toRaw(name, tensor)]))
  const { header, order } = layout(raw, metadata)
  const parts = [header, ...order.map((name) => raw[name].data)]
  const file = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let offset = 0
  for (const part of parts) {
    file.set(part, offset)
    offset += part.length
  }
  return file
}

function toRaw(name: string, tensor: Tensor | RawTensor): RawTensor {
  if ('dtype' in tensor) {
    const expected = (sizeOf(tensor.shape) * bitsOf(tensor.dtype)) / 8
    if (tensor.data.length !== expected) {
      throw new InvalidArgumentError(
        'safetensors',
        `tensor "${name}" has the wrong length: got ${tensor.data.length} bytes, expected ${expected}`,
      )
    }
    return tensor
  }
  const dtype = DTYPES[tensor.type]
  if (!dtype || !ArrayBuffer.isView(tensor.data)) {
    throw new InvalidArgumentError('safetensors', `tensor "${name}" has a type without a name: got ${tensor.type}`)
  }
  const { buffer, byteOffset, byteLength } = tensor.data
  return { dtype, shape: tensor.dims, data: new Uint8Array(buffer, byteOffset, byteLength) }
}

/**
 * The bytes that come first, and the names of the tensors in the order in which their data follow: wide elements first,
 * then by name, as the reference implementation writes them, so that every tensor is aligned.
 */
function layout(
  tensors: Readonly<Record<string, RawTensor>>,
  metadata: Readonly<Record<string, string>> | undefined,
): { header: Uint8Array; order: readonly string[] } {
  const entries = Object.entries(tensors)
  entries.sort(([a, left], [b, right]) => bitsOf(right.dtype) - bitsOf(left.dtype) || (a < b ? -1 : 1))
  let end = 0
  const infos = entries.map(([name, { dtype, shape }]) => {
    const begin = end
    end += (sizeOf(shape) * bitsOf(dtype)) / 8
    return [name, { dtype, shape, data_offsets: [begin, end] }] as const
  })
  const json = JSON.stringify({ ...(metadata && { __metadata__: metadata }), ...Object.fromEntries(infos) })
  const text = new TextEncoder().encode(json)
  const header = new Uint8Array(8 + Math.ceil(text.length / 8) * 8).fill(0x20)
  new DataView(header.buffer).setBigUint64(0, BigInt(header.length - 8), true)
  header.set(text, 8)
  return { header, order: entries.map(([name]) => name) }
}
