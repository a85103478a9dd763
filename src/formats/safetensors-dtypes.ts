import { Tensor } from 'onnxruntime-common'
import { UnsupportedError } from '../core/errors'
import { float16ToNumber } from '../core/half'

/** Bits of one element, for every element type that the format defines (safetensors 0.6). */
const BITS = {
  BOOL: 8,
  F4: 4,
  F6_E2M3: 6,
  F6_E3M2: 6,
  U8: 8,
  I8: 8,
  F8_E5M2: 8,
  F8_E4M3: 8,
  F8_E8M0: 8,
  F8_E4M3FNUZ: 8,
  F8_E5M2FNUZ: 8,
  I16: 16,
  U16: 16,
  F16: 16,
  BF16: 16,
  I32: 32,
  U32: 32,
  F32: 32,
  C64: 64,
  F64: 64,
  I64: 64,
  U64: 64,
} as const

/** An element type, as a safetensors header names it. */
export type SafetensorsDtype = keyof typeof BITS

/** Whether the format defines an element type of this name. */
export function isSafetensorsDtype(name: unknown): name is SafetensorsDtype {
  return typeof name === 'string' && Object.hasOwn(BITS, name)
}

/** Bits of one element. */
export function bitsOf(dtype: SafetensorsDtype): number {
  return BITS[dtype]
}

const littleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1

/** float8 bits (4 exponent bits, bias 7, no infinities; S.1111.111 is NaN) → number. */
function float8E4M3ToNumber(bits: number): number {
  const sign = bits & 0x80 ? -1 : 1
  const exponent = (bits >> 3) & 0xf
  const fraction = bits & 7
  if ((bits & 0x7f) === 0x7f) return Number.NaN
  if (exponent === 0) return sign * fraction * 2 ** -9
  return sign * (1 + fraction / 8) * 2 ** (exponent - 7)
}

/** float8 bits (5 exponent bits: the upper half of a float16) → number. */
function float8E5M2ToNumber(bits: number): number {
  return float16ToNumber(bits << 8)
}

/** Decodes each element through a table of all its values: checkpoints have far more elements than 16 bits have values. */
function decode(bits: Uint8Array | Uint16Array, toNumber: (bits: number) => number): Float32Array<ArrayBuffer> {
  const values = new Float32Array(bits.length)
  if (bits.length < 0x10000) {
    for (let i = 0; i < values.length; i++) values[i] = toNumber(bits[i])
  } else {
    const table = Float32Array.from({ length: 0x10000 }, (_, i) => toNumber(i))
    for (let i = 0; i < values.length; i++) values[i] = table[bits[i]]
  }
  return values
}

function decodeBfloat16(bits: Uint16Array): Float32Array<ArrayBuffer> {
  const words = new Uint32Array(bits.length)
  for (let i = 0; i < words.length; i++) words[i] = bits[i] << 16
  return new Float32Array(words.buffer)
}

/**
 * The tensor that `bytes` hold. F16, BF16 and the common 8-bit floats widen to float32; integers, booleans and F64 keep
 * their type. The tensor owns its memory.
 *
 * @param dtype - Element type.
 * @param shape - Dimensions; `bytes` has exactly that many elements.
 * @param bytes - Little-endian elements; taken over when they fill their buffer, copied otherwise.
 * @param what - What messages call the tensor.
 * @throws UnsupportedError for an element type that JavaScript has no array for.
 */
export function decodeTensor(
  dtype: SafetensorsDtype,
  shape: readonly number[],
  bytes: Uint8Array,
  what: string,
): Tensor {
  if (!littleEndian) throw new UnsupportedError('safetensors', 'needs a little-endian machine')
  const whole = bytes.byteLength === bytes.buffer.byteLength && bytes.buffer instanceof ArrayBuffer
  const buffer = whole ? (bytes.buffer as ArrayBuffer) : new Uint8Array(bytes).buffer // a Buffer's slice() is a view, so not slice
  switch (dtype) {
    case 'F32':
      return new Tensor('float32', new Float32Array(buffer), shape)
    case 'F16':
      return new Tensor('float32', decode(new Uint16Array(buffer), float16ToNumber), shape)
    case 'BF16':
      return new Tensor('float32', decodeBfloat16(new Uint16Array(buffer)), shape)
    case 'F8_E4M3':
      return new Tensor('float32', decode(new Uint8Array(buffer), float8E4M3ToNumber), shape)
    case 'F8_E5M2':
      return new Tensor('float32', decode(new Uint8Array(buffer), float8E5M2ToNumber), shape)
    case 'F64':
      return new Tensor('float64', new Float64Array(buffer), shape)
    case 'I64':
      return new Tensor('int64', new BigInt64Array(buffer), shape)
    case 'U64':
      return new Tensor('uint64', new BigUint64Array(buffer), shape)
    case 'I32':
      return new Tensor('int32', new Int32Array(buffer), shape)
    case 'U32':
      return new Tensor('uint32', new Uint32Array(buffer), shape)
    case 'I16':
      return new Tensor('int16', new Int16Array(buffer), shape)
    case 'U16':
      return new Tensor('uint16', new Uint16Array(buffer), shape)
    case 'I8':
      return new Tensor('int8', new Int8Array(buffer), shape)
    case 'U8':
      return new Tensor('uint8', new Uint8Array(buffer), shape)
    case 'BOOL':
      return new Tensor('bool', new Uint8Array(buffer), shape)
    default:
      throw new UnsupportedError(
        'safetensors',
        `${what} cannot be decoded: got ${dtype}, expected one of F64, F32, F16, BF16, F8_E4M3, F8_E5M2, I64, I32, I16, ` +
          'I8, U64, U32, U16, U8, BOOL',
      )
  }
}
