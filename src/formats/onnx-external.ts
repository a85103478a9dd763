import { FormatError } from '../core/errors'
import { ProtobufWriter } from './protobuf'

const PART = 'onnx'

/** The messages that lead to external data, by field number; everything else is left as it is (onnx.proto3). */
interface Schema {
  readonly [field: number]: Schema | 'entry'
}
const tensor: Schema = { 13: 'entry' }
const attribute: Record<number, Schema> = { 5: tensor, 10: tensor }
const graph: Schema = { 1: { 5: attribute }, 5: tensor }
attribute[6] = graph
attribute[11] = graph
const model: Schema = { 7: graph }

/** One field of a message: where its tag begins, where its payload lies. */
interface Field {
  readonly number: number
  readonly wireType: number
  readonly start: number
  readonly payload: number
  readonly end: number
}

/**
 * The names of the files that a model's external data lies in, each once.
 *
 * @param bytes - A serialised `ModelProto`.
 * @param name - What errors call the file.
 * @throws FormatError when the bytes are no protobuf message.
 */
export function externalLocations(bytes: Uint8Array, name: string): string[] {
  const found = new Set<string>()
  visit(bytes, model, name, (location) => {
    found.add(location)
    return location
  })
  return [...found]
}

/**
 * The model with other names for the files of its external data; the bytes themselves when no name changes.
 *
 * @param bytes - A serialised `ModelProto`.
 * @param names - New names by old ones; a name that is not among them stays.
 * @param name - What errors call the file.
 */
export function renameExternalLocations(
  bytes: Uint8Array,
  names: ReadonlyMap<string, string>,
  name: string,
): Uint8Array {
  return visit(bytes, model, name, (location) => names.get(location) ?? location)
}

/** Walks a message along the schema; copies it only when `rename` changes something inside. */
function visit(bytes: Uint8Array, schema: Schema, name: string, rename: (location: string) => string): Uint8Array {
  const changed: { field: Field; value: Uint8Array }[] = []
  for (const field of fields(bytes, name)) {
    const inner = schema[field.number]
    if (inner === undefined || field.wireType !== 2) continue
    const payload = bytes.subarray(field.payload, field.end)
    const value = inner === 'entry' ? visitEntry(payload, name, rename) : visit(payload, inner, name, rename)
    if (value !== payload) changed.push({ field, value })
  }
  if (changed.length === 0) return bytes
  const writer = new ProtobufWriter()
  let copied = 0
  for (const { field, value } of changed) {
    writer.raw(bytes.subarray(copied, field.start)).field(field.number, value)
    copied = field.end
  }
  return writer.raw(bytes.subarray(copied)).finish()
}

/** A `StringStringEntryProto` of a tensor's `external_data`. */
function visitEntry(bytes: Uint8Array, name: string, rename: (location: string) => string): Uint8Array {
  const text = new TextDecoder()
  const strings = new Map<number, string>()
  for (const { number, payload, end } of fields(bytes, name))
    strings.set(number, text.decode(bytes.subarray(payload, end)))
  const [key, value = ''] = [strings.get(1), strings.get(2)]
  if (key !== 'location') return bytes
  const renamed = rename(value)
  return renamed === value ? bytes : new ProtobufWriter().field(1, key).field(2, renamed).finish()
}

function* fields(bytes: Uint8Array, name: string): Generator<Field> {
  const corrupt = (at: number) => new FormatError(PART, `${name} is not an ONNX model: byte ${at} ends a message early`)
  let position = 0
  const varint = (): number => {
    let value = 0
    for (let shift = 0; shift < 70; shift += 7) {
      if (position >= bytes.length) break
      const byte = bytes[position++]
      value += (byte & 127) * 2 ** shift
      if (byte < 128) return value
    }
    throw corrupt(position)
  }
  while (position < bytes.length) {
    const start = position
    const tag = varint()
    const wireType = tag & 7
    let payload = position
    if (wireType === 0) varint()
    else if (wireType === 1) position += 8
    else if (wireType === 5) position += 4
    else if (wireType === 2) {
      const length = varint()
      payload = position
      position += length
    } else throw corrupt(start)
    if (position > bytes.length) throw corrupt(start)
    yield { number: Math.floor(tag / 8), wireType, start, payload, end: position }
  }
}
