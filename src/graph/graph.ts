import type { FileSource } from '../core/file'
import type { WeightRef, WeightType } from '../core/weights'
import {
  type OnnxAttribute,
  type OnnxInitializer,
  type OnnxNode,
  OnnxType,
  type OnnxTypeName,
  type OnnxValue,
  writeOnnx,
} from '../formats/onnx'
import type { ComputeType, GraphSource } from '../runtime/backend'
import type { Forms } from './forms'

/** A value inside a graph under construction: what one node makes and others take. */
export interface Value {
  readonly graph: Graph
  readonly name: string
}

const weightTypes: Record<WeightType, OnnxTypeName> = {
  F32: 'float',
  F16: 'float16',
  BF16: 'bfloat16',
  F64: 'double',
  I64: 'int64',
  I32: 'int32',
  I16: 'int16',
  I8: 'int8',
  U8: 'uint8',
  BOOL: 'bool',
}

/**
 * An ONNX graph under construction. Layers add nodes in the order in which they run; weights stay in the files that
 * they lie in and are named by location, offset and length.
 *
 * Inputs and outputs are float32 whatever the network computes in: the casts stand at the border.
 */
export class Graph {
  private readonly nodes: OnnxNode[] = []
  private readonly initializers = new Map<string, OnnxInitializer>()
  private readonly inputs: OnnxValue[] = []
  private readonly outputs: OnnxValue[] = []
  private readonly locations = new Map<FileSource, string>()

  /**
   * @param name - What errors call the network.
   * @param compute - The element type of the weights and of everything between the borders.
   * @param forms - How the operators that have several spellings are written.
   */
  constructor(
    readonly name: string,
    readonly compute: ComputeType,
    readonly forms: Forms,
  ) {}

  /** The ONNX name of the type that the network computes in. */
  get computeType(): OnnxTypeName {
    return this.compute === 'fp16' ? 'float16' : 'float'
  }

  /** A float32 input, cast to the compute type. */
  input(name: string, dims: readonly (number | string)[]): Value {
    const value = this.rawInput(name, 'float', dims)
    return this.compute === 'fp32' ? value : this.cast(value, this.computeType)
  }

  /** An input of the type given, as it is. */
  rawInput(name: string, type: OnnxTypeName, dims: readonly (number | string)[]): Value {
    this.inputs.push({ name, type, dims })
    return { graph: this, name }
  }

  /** Declares a float32 output that holds `value`. */
  output(name: string, value: Value, dims: readonly (number | string)[]): void {
    this.outputs.push({ name, type: 'float', dims })
    const op = this.compute === 'fp32' ? 'Identity' : 'Cast'
    const attributes: Record<string, OnnxAttribute> = op === 'Cast' ? { to: { int: OnnxType.float } } : {}
    this.nodes.push({ name: `output.${name}`, op, inputs: [value.name], outputs: [name], attributes })
  }

  /** A node with one output. An `undefined` input is an optional one left out. */
  node(
    op: string,
    inputs: readonly (Value | undefined)[],
    attributes: Readonly<Record<string, OnnxAttribute>> = {},
    domain?: string,
  ): Value {
    return this.nodeWithOutputs(1, op, inputs, attributes, domain)[0]
  }

  /** A node with `count` outputs. */
  nodeWithOutputs(
    count: number,
    op: string,
    inputs: readonly (Value | undefined)[],
    attributes: Readonly<Record<string, OnnxAttribute>> = {},
    domain?: string,
  ): Value[] {
    const name = `${op}.${this.nodes.length}`
    const outputs = Array.from({ length: count }, (_, i) => (count === 1 ? name : `${name}:${i}`))
    this.nodes.push({ name, op, domain, inputs: inputs.map((input) => input?.name ?? ''), outputs, attributes })
    return outputs.map((output) => ({ graph: this, name: output }))
  }

  /** A stored weight in the compute type: used where it lies, cast by the runtime when its type is another. */
  weight(ref: WeightRef): Value {
    const known = this.initializers.has(ref.name)
    if (!known) {
      const data = { location: this.locationOf(ref.file), offset: ref.offset, length: ref.length }
      this.initializers.set(ref.name, { name: ref.name, type: weightTypes[ref.type], dims: ref.shape, data })
    }
    const cast = weightTypes[ref.type] !== this.computeType
    const name = cast ? `${ref.name}.${this.compute}` : ref.name
    if (cast && !known) {
      const to = { int: OnnxType[this.computeType] }
      this.nodes.push({ name, op: 'Cast', inputs: [ref.name], outputs: [name], attributes: { to } })
    }
    return { graph: this, name }
  }

  /** A small constant of int64, such as a shape or axes. */
  int64(values: readonly number[], dims: readonly number[] = [values.length]): Value {
    const data = BigInt64Array.from(values, BigInt)
    return this.constant(`int64[${dims}]=${values}`, 'int64', dims, new Uint8Array(data.buffer))
  }

  /** A float32 constant in the compute type; `name` makes equal constants one. */
  float(name: string, values: Float32Array<ArrayBuffer>, dims: readonly number[]): Value {
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
    const value = this.constant(name, 'float', dims, bytes)
    return this.compute === 'fp32' ? value : this.cast(value, this.computeType)
  }

  /** A float32 vector as it is, such as the scales of a resize. */
  scales(values: readonly number[]): Value {
    const bytes = new Uint8Array(Float32Array.from(values).buffer)
    return this.constant(`scales=${values}`, 'float', [values.length], bytes)
  }

  /** A scalar constant in the compute type. */
  scalar(value: number): Value {
    return this.float(`scalar=${value}`, Float32Array.of(value), [])
  }

  /** The value in another element type. */
  cast(value: Value, type: OnnxTypeName): Value {
    return this.node('Cast', [value], { to: { int: OnnxType[type] } })
  }

  /** The model and the files that its weights lie in. */
  finish(): GraphSource {
    const model = writeOnnx({
      name: this.name,
      opset: 18,
      inputs: this.inputs,
      outputs: this.outputs,
      nodes: this.nodes,
      initializers: [...this.initializers.values()],
    })
    const externalData = new Map([...this.locations].map(([file, location]) => [location, file]))
    return { name: this.name, model: model.slice(), externalData }
  }

  /** The file's own name, so that the runtime finds it in its folder; numbered when two files have the same. */
  private locationOf(file: FileSource): string {
    const known = this.locations.get(file)
    if (known) return known
    const name = (file.path ?? file.name).split(/[\\/]/).at(-1) ?? file.name
    const taken = new Set(this.locations.values())
    const location = taken.has(name) ? `${taken.size}-${name}` : name
    this.locations.set(file, location)
    return location
  }

  private constant(name: string, type: OnnxTypeName, dims: readonly number[], data: Uint8Array): Value {
    if (!this.initializers.has(name)) this.initializers.set(name, { name, type, dims, data })
    return { graph: this, name }
  }
}
