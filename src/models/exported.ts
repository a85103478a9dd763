import { Tensor } from 'onnxruntime-common'
import { InvalidArgumentError, NotFoundError, UnsupportedError } from '../core/errors'
import type { FileSource, Repository } from '../core/file'
import { float16ToNumber, numberToFloat16 } from '../core/half'
import { externalLocations, renameExternalLocations } from '../formats/onnx-external'
import type { GraphSource, Session, ValueInfo } from '../runtime/backend'
import { requireBackend } from '../runtime/env'
import type { RawConfig } from './config-reader'
import { type ModelOptions, readConfig, settleDevice } from './model'
import { Network } from './network'

/** An ONNX graph that somebody else exported, and its config where there is one. */
export interface ExportedGraph {
  readonly network: Network
  /** Empty when the folder has no `config.json`, as in early exports. */
  readonly config: RawConfig
}

/**
 * Opens `model.onnx` of a folder, with its external data under any name. Weights are not read before the first run.
 *
 * @throws NotFoundError when the model, or a file that it names, is missing.
 */
export async function openExport(
  repository: Repository,
  folder: string,
  options: ModelOptions,
): Promise<ExportedGraph> {
  const path = `${folder}/model.onnx`
  const file = await repository.open(path)
  if (!file) throw new NotFoundError('export', `a model is missing: ${repository.name} has no ${path}`)
  const hasConfig = await repository.open(`${folder}/config.json`)
  const config = hasConfig ? await readConfig(repository, `${folder}/config.json`) : {}
  const backend = requireBackend(options.backend)
  // The exporter chose the element type.
  const { session } = await settleDevice(backend, { ...options, dtype: 'auto' })
  const source = () => readExport(repository, folder, file)
  return { network: new Network(folder, source, backend, session), config }
}

/** Reads the model, and lets its external data be found under the names that the files have here. */
async function readExport(repository: Repository, folder: string, file: FileSource): Promise<GraphSource> {
  const model = await file.read(0, file.size)
  const names = new Map<string, string>()
  const externalData = new Map<string, FileSource>()
  for (const location of externalLocations(model, file.name)) {
    if (/^[\\/]|(^|[\\/])\.\.([\\/]|$)|:/.test(location)) {
      throw new InvalidArgumentError('export', `${file.name} names a file outside of its folder: got ${location}`)
    }
    const data = await repository.open(`${folder}/${location}`)
    if (!data) throw new NotFoundError('export', `${file.name} needs a file that is missing: ${folder}/${location}`)
    // In a cache a file lies under another name, and the runtime looks for it in its folder.
    const name = (data.path ?? location).split(/[\\/]/).at(-1) ?? location
    names.set(location, name)
    externalData.set(name, data)
  }
  return { name: folder, model: renameExternalLocations(model, names, file.name), externalData }
}

/**
 * Runs an exported graph: inputs are turned into the types that it declares, and what it does not take is left out.
 *
 * @param values - float32 or int32 tensors by the names that exporters use.
 * @returns The outputs, float32.
 * @throws UnsupportedError when the graph takes an input that is not among them.
 */
export async function runExport(
  network: Network,
  values: Readonly<Record<string, Tensor | undefined>>,
): Promise<Record<string, Tensor>> {
  const session = await network.load()
  const feeds: Record<string, Tensor> = {}
  for (const input of session.inputs) {
    const value = values[input.name]
    if (!value) {
      const given = Object.keys(values).join(', ')
      throw new UnsupportedError(
        network.name,
        `the export takes an input that is unknown here: got ${input.name}, expected ${given}`,
      )
    }
    feeds[input.name] = convert(value, input, network.name)
  }
  const outputs = await network.run(feeds)
  for (const [name, output] of Object.entries(outputs)) {
    if (output.type === 'float16') outputs[name] = fromFloat16(output)
  }
  return outputs
}

/** The first of the outputs that is there, under any of the names that exporters use. */
export function outputNamed(outputs: Readonly<Record<string, Tensor>>, names: readonly string[], part: string): Tensor {
  for (const name of names) if (outputs[name]) return outputs[name]
  const got = Object.keys(outputs).join(', ')
  throw new UnsupportedError(
    part,
    `the export has none of the outputs that are needed: got ${got}, expected ${names.join(' or ')}`,
  )
}

/** A dimension of an input, when the export fixed it. */
export function fixedDim(session: Session, input: string, axis: number): number | undefined {
  const dim = session.inputs.find(({ name }) => name === input)?.shape[axis]
  return typeof dim === 'number' && dim > 0 ? dim : undefined
}

function convert(value: Tensor, { name, type, shape }: ValueInfo, part: string): Tensor {
  // A scalar and a vector of one hold the same: which of them is asked for differs from exporter to exporter.
  const dims = shape.length === 0 && value.size === 1 ? [] : value.dims
  if (type === value.type) return dims === value.dims ? value : new Tensor(type, value.data as Float32Array, dims)
  const numbers = value.data as ArrayLike<number>
  switch (type) {
    case 'float32':
      return new Tensor(type, Float32Array.from(numbers), dims)
    case 'float64':
      return new Tensor(type, Float64Array.from(numbers), dims)
    case 'float16':
      return new Tensor(type, Uint16Array.from(numbers, numberToFloat16), dims)
    case 'int32':
      return new Tensor(type, Int32Array.from(numbers), dims)
    case 'int64':
      return new Tensor(type, BigInt64Array.from(Array.from(numbers, (number) => BigInt(Math.round(number)))), dims)
    default:
      throw new UnsupportedError(part, `the export takes a type that is not supported: ${name} is ${type}`)
  }
}

function fromFloat16(tensor: Tensor): Tensor {
  const { data } = tensor
  // Runtimes with a Float16Array hand over numbers, others the bits.
  const bits = data instanceof Uint16Array
  const numbers = data as ArrayLike<number>
  const values = Float32Array.from(numbers, bits ? float16ToNumber : Number)
  return new Tensor('float32', values, tensor.dims)
}
