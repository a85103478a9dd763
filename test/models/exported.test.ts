import { Tensor } from 'onnxruntime-common'
import { describe, expect, it } from 'vitest'
import { bytesSource, type Repository } from '../../src/core/file'
import { float16ToNumber, numberToFloat16 } from '../../src/core/half'
import { type OnnxTypeName, writeOnnx } from '../../src/formats/onnx'
import { externalLocations, renameExternalLocations } from '../../src/formats/onnx-external'
import { openExport, outputNamed, runExport } from '../../src/models/exported'
import { OnnxRuntimeNodeBackend } from '../../src/platform/node/onnxruntime'

const backend = new OnnxRuntimeNodeBackend()

/** A model that gives back its inputs, which have the types and shapes given. */
function echo(inputs: Record<string, readonly [OnnxTypeName, readonly (number | string)[]]>): Repository {
  const values = Object.entries(inputs).map(([name, [type, dims]]) => ({ name, type, dims }))
  const model = writeOnnx({
    name: 'echo',
    opset: 18,
    inputs: values,
    outputs: values.map((value) => ({ ...value, name: `${value.name}_out` })),
    nodes: values.map(({ name }) => ({
      name,
      op: 'Identity',
      inputs: [name],
      outputs: [`${name}_out`],
      attributes: {},
    })),
    initializers: [],
  })
  return {
    name: 'echo',
    open: async (path) => (path === 'unet/model.onnx' ? bytesSource(model, path) : undefined),
  }
}

async function run(repository: Repository, values: Record<string, Tensor>): Promise<Record<string, Tensor>> {
  const { network } = await openExport(repository, 'unet', { backend, device: 'cpu' })
  const outputs = await runExport(network, values)
  await network.dispose()
  return outputs
}

describe('an export gets what its metadata asks for', () => {
  const timestep = new Tensor('float32', Float32Array.of(981), [1])
  it.each([
    ['int64', [], [981n]],
    ['int64', [1], [981n]],
    ['int64', ['steps'], [981n]],
    ['int32', [], [981]],
    ['float', [], [981]],
    ['float', ['batch'], [981]],
    ['double', [], [981]],
    ['float16', [1], [981]],
  ] as const)('a timestep of %s %j', async (type, dims, expected) => {
    const { timestep_out: output } = await run(echo({ timestep: [type, dims] }), { timestep })
    expect(output.dims).toHaveLength(dims.length)
    expect(Array.from(output.data as Float32Array)).toEqual(expected)
  })

  it.each(['int32', 'int64'] as const)('ids of %s', async (type) => {
    const ids = new Tensor('int32', Int32Array.of(49406, 320, 49407), [1, 3])
    const { input_ids_out: output } = await run(echo({ input_ids: [type, ['b', 'n']] }), { input_ids: ids })
    expect(output.type).toBe(type)
    expect(Array.from(output.data as Int32Array, Number)).toEqual([49406, 320, 49407])
  })

  it('float16 samples, whose outputs come back as float32', async () => {
    const values = [0.1, -2.5, 65504]
    const sample = new Tensor('float32', Float32Array.from(values), [1, 3])
    const { sample_out: output } = await run(echo({ sample: ['float16', [1, 3]] }), { sample })
    expect(output.type).toBe('float32')
    const rounded = values.map((value) => float16ToNumber(numberToFloat16(value)))
    expect(Array.from(output.data as Float32Array)).toEqual(rounded)
  })

  it('and an input or output that is unknown is an error that names it', async () => {
    await expect(run(echo({ ip_adapter: ['float', [1]] }), { timestep })).rejects.toThrow(
      'the export takes an input that is unknown here: got ip_adapter, expected timestep',
    )
    expect(() => outputNamed({ other: timestep }, ['out_sample'], 'unet')).toThrow('got other, expected out_sample')
  })
})

describe('external data', () => {
  const model = writeOnnx({
    name: 'model',
    opset: 18,
    inputs: [],
    outputs: [],
    nodes: [],
    initializers: ['weights.pb', 'model.onnx_data', 'weights.pb'].map((location, i) => ({
      name: `w${i}`,
      type: 'float',
      dims: [1],
      data: { location, offset: 4 * (i + 1), length: 4 },
    })),
  })

  it('lists the files and renames them, in place of nothing else', () => {
    expect(externalLocations(model, 'model.onnx')).toEqual(['weights.pb', 'model.onnx_data'])
    const renamed = renameExternalLocations(
      model,
      new Map([['weights.pb', 'a-much-longer-name-than-before']]),
      'model.onnx',
    )
    expect(externalLocations(renamed, 'model.onnx')).toEqual(['a-much-longer-name-than-before', 'model.onnx_data'])
    const back = renameExternalLocations(
      renamed,
      new Map([['a-much-longer-name-than-before', 'weights.pb']]),
      'model.onnx',
    )
    expect(externalLocations(back, 'model.onnx')).toEqual(['weights.pb', 'model.onnx_data'])
    expect(back.length).toBe(model.length)
    expect(renameExternalLocations(model, new Map(), 'model.onnx')).toBe(model)
  })

  it('refuses a model that names a file outside of its folder, and bytes that are no model', async () => {
    for (const location of ['../secret', '/etc/passwd', 'a/../../b', 'C:\\x']) {
      const data = { location, offset: 0, length: 4 }
      const initializers = [{ name: 'w', type: 'float', dims: [1], data }] as const
      const hostile = writeOnnx({ name: 'm', opset: 18, inputs: [], outputs: [], nodes: [], initializers })
      const repository: Repository = {
        name: 'm',
        open: async (path) => (path === 'unet/model.onnx' ? bytesSource(hostile, path) : undefined),
      }
      const { network } = await openExport(repository, 'unet', { backend, device: 'cpu' })
      await expect(network.load()).rejects.toThrow(`names a file outside of its folder: got ${location}`)
    }
    expect(() => externalLocations(new Uint8Array([0x3a, 0xff, 0x01, 1]), 'x.onnx')).toThrow(
      /x.onnx is not an ONNX model/,
    )
  })
})
