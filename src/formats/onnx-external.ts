import { FormatError } from '../core/errors'
import { ProtobufWriter } from './protobuf'

const PART = 'onnx'

/** Where the bytes of a tensor lie. */
export interface ExternalRange {
  /** Name of the file. */
  readonly location: string
  /** Position of the first byte. */
  readonly offset: number
  /** Length in bytes; absent: to the end of the file. */
  readonly length?: number
}

/** The messages that lead to external data, by field number; everything else is left as it is (onnx.proto3). */
interface Schema {
  readonly [field: number]: Schema | 'tensor'
}
const attribute: Record<number, Schema | 'tensor'> = { 5: 'tensor', 10: 'tensor' }
const graph: Schema = { 1: { 5: attribute }, 5: 'tensor' }
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
  visit(bytes, model, name, (range) => {
    found.add(range.location)
    return range
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
  return visit(bytes, model, name, (range) => {
    const renamed = names.get(range.location) ?? range.location
    return renamed === range.location ? range : { ...range, location: renamed }
  })
}

/**
 * The model with the bytes of every external tensor in a file of its own, so that no tensor lies beyond an offset that a
 * runtime cannot count to, and each can be read for itself.
 *
 * @param bytes - A serialised `ModelProto`.
 * @param name - What errors call the file.
 * @returns The model, and what its new files are made of.
 */
export function splitExternalData(
  bytes: Uint8Array,
  name: string,
): { readonly model: Uint8Array; readonly files: ReadonlyMap<string, ExternalRange> } {
  const files = new Map<string, ExternalRange>()
  const known = new Map<string, string>()
  const split = visit(bytes, model, name, (range) => {
    const key = `${range.offset}+${range.length}@${range.location}`
    const location = known.get(key) ?? `${known.size}`
    known.set(key, location)
    files.set(location, range)
    return { location, offset: 0, length: range.length }
  })
  return { model: split, files }
}

/** Gives a tensor's bytes another place, or the same. */
type Move = (range: ExternalRange) => ExternalRange

/** Walks a message along the schema; copies it only when `move` changes something inside. */
function visit(bytes: Uint8Array, schema: Schema, name: string, move: Move): Uint8Array {
  const changed: { field: Field; value: Uint8Array }[] = []
  for (const field of fields(bytes, name)) {
    const inner = schema[field.number]
    if (inner === undefined || field.wireType !== 2) continue
    const payload = bytes.subarray(field.payload, field.end)
    const value = inner === 'tensor' ? visitTensor(payload, name, move) : visit(payload, inner, name, move)
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

/** A `TensorProto`; its `external_data` (field 13) is a list of `StringStringEntryProto`. */
function visitTensor(bytes: Uint8Array, name: string, move: Move): Uint8Array {
  const text = new TextDecoder()
  const entries = new Map<string, string>()
  const others: Uint8Array[] = []
  for (const { number, start, payload, end } of fields(bytes, name)) {
    if (number !== 13) {
      others.push(bytes.subarray(start, end))
      continue
    }
    const entry = bytes.subarray(payload, end)
    const strings = new Map<number, string>()
    for (const field of fields(entry, name))
      strings.set(field.number, text.decode(entry.subarray(field.payload, field.end)))
    entries.set(strings.get(1) ?? '', strings.get(2) ?? '')
  }
  const location = entries.get('location')
  if (location === undefined) return bytes
  const range = { location, offset: count(entries, 'offset', name) ?? 0, length: count(entries, 'length', name) }
  const moved = move(range)
  if (moved === range) return bytes
  const writer = new ProtobufWriter()
  for (const field of others) writer.raw(field)
  const written = { location: moved.location, offset: moved.offset || undefined, length: moved.length }
  for (const [key, value] of Object.entries(written)) {
    if (value !== undefined) writer.field(13, new ProtobufWriter().field(1, key).field(2, `${value}`))
  }
  return writer.finish()
}

function count(entries: ReadonlyMap<string, string>, key: string, name: string): number | undefined {
  const text = entries.get(key)
  if (text === undefined) return undefined
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(Number(text))) {
    throw new FormatError(PART, `${name} has external data with a bad ${key}: got ${JSON.stringify(text)}`)
  }
  return Number(text)
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
