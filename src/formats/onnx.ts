import { ProtobufWriter } from './protobuf'

/** The element types that latentkit writes, by their `TensorProto.DataType` number. */
export const OnnxType = {
  float: 1,
  uint8: 2,
  int8: 3,
  int16: 5,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  double: 11,
  bfloat16: 16,
} as const

/** Name of an ONNX element type. */
export type OnnxTypeName = keyof typeof OnnxType

/** An attribute of a node; integers and floats are told apart, because ONNX does. */
export type OnnxAttribute =
  | { readonly int: number }
  | { readonly float: number }
  | { readonly string: string }
  | { readonly ints: readonly number[] }

/** A `NodeProto`. An empty input name leaves out an optional input. */
export interface OnnxNode {
  readonly name: string
  readonly op: string
  /** Operator domain: absent for ONNX's own, `com.microsoft` and others for ONNX Runtime's, in their version 1. */
  readonly domain?: string
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly attributes: Readonly<Record<string, OnnxAttribute>>
}

/** A constant: its bytes (little-endian) in the model, or where they lie in another file. */
export interface OnnxInitializer {
  readonly name: string
  readonly type: OnnxTypeName
  readonly dims: readonly number[]
  readonly data: Uint8Array | { readonly location: string; readonly offset: number; readonly length: number }
}

/** An input or output of the graph; a string is the name of a free dimension. */
export interface OnnxValue {
  readonly name: string
  readonly type: OnnxTypeName
  readonly dims: readonly (number | string)[]
}

/** The parts of a `ModelProto` that latentkit writes. */
export interface OnnxModel {
  readonly name: string
  readonly opset: number
  readonly inputs: readonly OnnxValue[]
  readonly outputs: readonly OnnxValue[]
  readonly nodes: readonly OnnxNode[]
  readonly initializers: readonly OnnxInitializer[]
}

/** Serialises a model (onnx.proto3, IR version 8). */
export function writeOnnx(model: OnnxModel): Uint8Array {
  const graph = new ProtobufWriter()
  for (const node of model.nodes) graph.field(1, writeNode(node))
  graph.field(2, model.name)
  for (const initializer of model.initializers) graph.field(5, writeInitializer(initializer))
  for (const value of model.inputs) graph.field(11, writeValue(value))
  for (const value of model.outputs) graph.field(12, writeValue(value))
  const proto = new ProtobufWriter().int(1, 8).field(2, 'latentkit').field(7, graph)
  proto.field(8, new ProtobufWriter().field(1, '').int(2, model.opset))
  const domains = new Set(model.nodes.flatMap(({ domain }) => domain ?? []))
  for (const domain of domains) proto.field(8, new ProtobufWriter().field(1, domain).int(2, 1))
  return proto.finish()
}

function writeNode(node: OnnxNode): ProtobufWriter {
  const proto = new ProtobufWriter()
  for (const input of node.inputs) proto.field(1, input)
  for (const output of node.outputs) proto.field(2, output)
  proto.field(3, node.name).field(4, node.op)
  for (const [name, attribute] of Object.entries(node.attributes)) proto.field(5, writeAttribute(name, attribute))
  if (node.domain) proto.field(7, node.domain)
  return proto
}

function writeAttribute(name: string, attribute: OnnxAttribute): ProtobufWriter {
  const proto = new ProtobufWriter().field(1, name)
  if ('float' in attribute) return proto.float(2, attribute.float).int(20, 1)
  if ('int' in attribute) return proto.int(3, attribute.int).int(20, 2)
  if ('string' in attribute) return proto.field(4, attribute.string).int(20, 3)
  for (const value of attribute.ints) proto.int(8, value)
  return proto.int(20, 7)
}

function writeInitializer({ name, type, dims, data }: OnnxInitializer): ProtobufWriter {
  const proto = new ProtobufWriter()
  for (const dim of dims) proto.int(1, dim)
  proto.int(2, OnnxType[type]).field(8, name)
  if (data instanceof Uint8Array) return proto.field(9, data)
  const external = { location: data.location, offset: `${data.offset}`, length: `${data.length}` }
  for (const [key, value] of Object.entries(external))
    proto.field(13, new ProtobufWriter().field(1, key).field(2, value))
  return proto.int(14, 1)
}

function writeValue({ name, type, dims }: OnnxValue): ProtobufWriter {
  const shape = new ProtobufWriter()
  for (const dim of dims) {
    const proto = new ProtobufWriter()
    shape.field(1, typeof dim === 'number' ? proto.int(1, dim) : proto.field(2, dim))
  }
  const tensorType = new ProtobufWriter().int(1, OnnxType[type]).field(2, shape)
  return new ProtobufWriter().field(1, name).field(2, new ProtobufWriter().field(1, tensorType))
}
