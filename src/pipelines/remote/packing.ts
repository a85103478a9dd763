import { Tensor } from 'onnxruntime-common'
import { Generator, type RandomAlgorithm } from '../../core/generator'
import type { Channels } from '../../core/pixels'
import { RawImage } from '../../image/raw-image'
import { type PackedError, packError, unpackError } from './packed-error'

/** The key that marks a packed object. */
const KIND = 'latentkit:kind'

type PackedObject =
  | { [KIND]: 'tensor'; type: Tensor.Type; data: Tensor['data']; dims: readonly number[] }
  | {
      [KIND]: 'image'
      data: Uint8ClampedArray<ArrayBuffer>
      width: number
      height: number
      channels: Channels
      text: Readonly<Record<string, string>>
    }
  | { [KIND]: 'generator'; seed: bigint; algorithm: RandomAlgorithm; state: Float64Array }
  | { [KIND]: 'url'; href: string }
  | { [KIND]: 'error'; error: PackedError }

/**
 * A value as a message between threads can carry it: tensors, images, generators, URLs and errors, wherever they stand in
 * lists and objects, become what `structuredClone` copies.
 *
 * @param moved - Collects the memory of tensors and images, to be transferred instead of copied: for values that nobody
 *   else uses.
 */
export function pack(value: unknown, moved?: Set<ArrayBuffer>): unknown {
  if (typeof value !== 'object' || value === null) return value
  const object = packObject(value, moved)
  if (object) return object
  if (Array.isArray(value)) return value.map((item) => pack(item, moved))
  if (!isRecord(value)) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, pack(item, moved)]))
}

/** The value that was packed. */
export function unpack(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(unpack)
  if (!isRecord(value)) return value
  if (KIND in value) return unpackObject(value as PackedObject)
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, unpack(item)]))
}

function packObject(value: object, moved: Set<ArrayBuffer> | undefined): PackedObject | undefined {
  if (value instanceof Tensor) {
    const { type, dims } = value
    return { [KIND]: 'tensor', type, dims, data: compact(value.data, moved) }
  }
  if (value instanceof RawImage) {
    const { width, height, channels, text } = value
    return { [KIND]: 'image', width, height, channels, text, data: compact(value.data, moved) }
  }
  if (value instanceof Generator) {
    const { seed, algorithm } = value
    return { [KIND]: 'generator', seed, algorithm, state: value.getState() }
  }
  if (value instanceof URL) return { [KIND]: 'url', href: value.href }
  if (value instanceof Error) return { [KIND]: 'error', error: packError(value, (cause) => pack(cause)) }
  return undefined
}

function unpackObject(packed: PackedObject): unknown {
  switch (packed[KIND]) {
    case 'tensor':
      return new Tensor(packed.type as 'float32', packed.data as Float32Array, packed.dims)
    case 'image':
      return new RawImage(packed.data, packed.width, packed.height, packed.channels, packed.text)
    case 'generator': {
      const generator = new Generator(packed.seed, { algorithm: packed.algorithm })
      generator.setState(packed.state)
      return generator
    }
    case 'url':
      return new URL(packed.href)
    case 'error':
      return unpackError(packed.error, unpack)
  }
}

/** The data without the rest of the buffer that it may be a part of: all of that would be copied or moved with it. */
function compact<T extends Tensor['data'] | Uint8ClampedArray>(data: T, moved: Set<ArrayBuffer> | undefined): T {
  if (!ArrayBuffer.isView(data)) return data
  const own = data.byteLength === data.buffer.byteLength ? data : (data.slice() as typeof data)
  if (own.buffer instanceof ArrayBuffer) moved?.add(own.buffer)
  return own
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || prototype === Object.prototype
}
