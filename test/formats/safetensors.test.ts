import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { Tensor } from 'onnxruntime-common'
import { describe, expect, it } from 'vitest'
import { FormatError, InvalidArgumentError, NotFoundError, UnsupportedError } from '../../src/core/errors'
import { bytesSource } from '../../src/core/file'
import { SafetensorsFile } from '../../src/formats/safetensors'
import { type RawTensor, writeSafetensors } from '../../src/formats/safetensors-writer'
import { openFile } from '../../src/platform/node/files'

/** A file with this header, given as text, and so many bytes of data. */
function file(header: string | Uint8Array, dataBytes = 0): Uint8Array {
  const text = typeof header === 'string' ? new TextEncoder().encode(header) : header
  const bytes = new Uint8Array(8 + text.length + dataBytes)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true)
  bytes.set(text, 8)
  return bytes
}

const entry = (dtype: string, shape: readonly number[], begin: number, end: number) =>
  JSON.stringify({ dtype, shape, data_offsets: [begin, end] })

async function errorOf(bytes: Uint8Array): Promise<Error> {
  const error = await SafetensorsFile.fromBytes(bytes, 'model.safetensors').then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(FormatError)
  return error as FormatError
}

describe('SafetensorsFile', () => {
  it('reads what the writer wrote, in every type that has an array', async () => {
    const tensors = {
      double: new Tensor('float64', [0.1, -2], [2]),
      float: new Tensor('float32', [1.5, -2.5, 3], [3, 1]),
      long: new Tensor('int64', [-(2n ** 63n), 7n], [2]),
      ulong: new Tensor('uint64', [2n ** 64n - 1n], [1]),
      int: new Tensor('int32', [-5], [1]),
      uint: new Tensor('uint32', [2 ** 32 - 1], [1]),
      short: new Tensor('int16', [-300], [1]),
      ushort: new Tensor('uint16', [65535], [1]),
      byte: new Tensor('int8', [-128, 127, 0], [3]),
      ubyte: new Tensor('uint8', [255], []),
      flag: new Tensor('bool', [true, false], [2]),
      empty: new Tensor('float32', [], [0, 4]),
    }
    const opened = await SafetensorsFile.fromBytes(writeSafetensors(tensors, { format: 'pt', note: 'é' }))
    expect(opened.metadata).toEqual({ format: 'pt', note: 'é' })
    expect([...opened.tensors.keys()].sort()).toEqual(Object.keys(tensors).sort())
    for (const [name, tensor] of Object.entries(tensors)) {
      const read = await opened.readTensor(name)
      expect([name, read.type, read.dims, read.data]).toEqual([name, tensor.type, tensor.dims, tensor.data])
    }
  })

  it('widens the half and quarter floats to float32', async () => {
    const half = (...bits: number[]) => new Uint8Array(new Uint16Array(bits).buffer)
    const cases: Record<string, [RawTensor, number[]]> = {
      f16: [
        { dtype: 'F16', shape: [4], data: half(0x3c00, 0xc100, 0x0001, 0x7c00) },
        [1, -2.5, 2 ** -24, Number.POSITIVE_INFINITY],
      ],
      bf16: [{ dtype: 'BF16', shape: [3], data: half(0x3f80, 0xc020, 0x7f80) }, [1, -2.5, Number.POSITIVE_INFINITY]],
      e4m3: [
        { dtype: 'F8_E4M3', shape: [5], data: new Uint8Array([0x38, 0x7e, 0xfe, 0x01, 0x7f]) },
        [1, 448, -448, 2 ** -9, Number.NaN],
      ],
      e5m2: [
        { dtype: 'F8_E5M2', shape: [4], data: new Uint8Array([0x3c, 0x7b, 0x01, 0xfc]) },
        [1, 57344, 2 ** -16, Number.NEGATIVE_INFINITY],
      ],
    }
    const raw = Object.fromEntries(Object.entries(cases).map(([name, [tensor]]) => [name, tensor]))
    const opened = await SafetensorsFile.fromBytes(writeSafetensors(raw))
    for (const [name, [, values]] of Object.entries(cases)) {
      const tensor = await opened.readTensor(name)
      expect([name, tensor.type, tensor.data]).toEqual([name, 'float32', Float32Array.from(values)])
    }
  })

  it('decodes a large F16 tensor as it does a small one', async () => {
    const bits = Uint16Array.from({ length: 0x10000 }, (_, i) => i)
    const raw = (part: Uint16Array): RawTensor => ({
      dtype: 'F16',
      shape: [part.length],
      data: new Uint8Array(part.buffer, part.byteOffset, part.byteLength),
    })
    const tensors = { all: raw(bits), low: raw(bits.subarray(0, 0x8000)), high: raw(bits.subarray(0x8000)) }
    const opened = await SafetensorsFile.fromBytes(writeSafetensors(tensors))
    const [all, low, high] = await Promise.all(['all', 'low', 'high'].map((name) => opened.readTensor(name)))
    expect(all.data.slice(0, 0x8000)).toEqual(low.data)
    expect(all.data.slice(0x8000)).toEqual(high.data)
  })

  it('gives offsets in the file, and bytes of types that it cannot decode', async () => {
    const data = new Uint8Array([1, 2, 3])
    const bytes = writeSafetensors({ packed: { dtype: 'F4', shape: [2, 3], data } })
    const opened = await SafetensorsFile.fromBytes(bytes, 'x.safetensors')
    expect(opened.info('packed')).toEqual({
      name: 'packed',
      dtype: 'F4',
      shape: [2, 3],
      offset: bytes.length - 3,
      length: 3,
    })
    expect(await opened.read('packed')).toEqual(data)
    await expect(opened.readTensor('packed')).rejects.toThrow(UnsupportedError)
    await expect(opened.readTensor('packed')).rejects.toThrow(
      '[latentkit] [safetensors] x.safetensors: tensor "packed" cannot be decoded: got F4',
    )
  })

  it('does not let a tensor share the memory of the file', async () => {
    const bytes = writeSafetensors({ x: new Tensor('float32', [1, 2], [2]) })
    const opened = await SafetensorsFile.fromBytes(bytes)
    const first = await opened.readTensor('x')
    bytes.fill(0, bytes.length - 8)
    expect(first.data).toEqual(Float32Array.of(1, 2))
  })

  it('says which tensor is missing', async () => {
    const opened = await SafetensorsFile.fromBytes(file('{}'), 'x.safetensors')
    expect(() => opened.info('conv_in.weight')).toThrow(NotFoundError)
    await expect(opened.read('conv_in.weight')).rejects.toThrow('x.safetensors has no tensor "conv_in.weight"')
  })

  it('reads a header that names a tensor __proto__, in any order, with padding', async () => {
    const header = `{"b":${entry('U8', [1], 1, 2)},"__proto__":${entry('I8', [1], 0, 1)},"__metadata__":{"__proto__":"x"}}   `
    const opened = await SafetensorsFile.fromBytes(file(header, 2))
    expect([...opened.tensors.keys()]).toEqual(['__proto__', 'b'])
    expect(Object.entries(opened.metadata)).toEqual([['__proto__', 'x']])
  })

  it('reads no more than the header to open a file', async () => {
    const bytes = writeSafetensors({ x: new Tensor('float32', new Float32Array(1000), [1000]) })
    const source = bytesSource(bytes, 'x')
    const ranges: [number, number][] = []
    await SafetensorsFile.open({
      ...source,
      read(offset, length) {
        ranges.push([offset, length])
        return source.read(offset, length)
      },
    })
    expect(ranges).toEqual([
      [0, 8],
      [8, bytes.length - 4000 - 8],
    ])
  })

  const one = `{"x":${entry('F32', [2], 0, 8)}}`
  const refused: Record<string, [Uint8Array, string]> = {
    'an empty file': [new Uint8Array(0), 'is truncated: got 0 bytes'],
    'seven bytes': [new Uint8Array(7), 'is truncated: got 7 bytes'],
    'a header of no bytes': [file(''), 'is not valid JSON'],
    'a header length beyond the limit': [
      new Uint8Array(16).fill(0xff),
      'no plausible header: got a length of 18446744073709551615',
    ],
    'a header length beyond the file': [file('{}').fill(9, 0, 1), 'is truncated: got 10 bytes, expected 17'],
    'a header that is not UTF-8': [file(Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x7d)), 'is not valid UTF-8'],
    'a byte order mark': [file('\ufeff{}'), 'is not valid JSON'],
    'a header that is not JSON': [file('{"x"'), 'is not valid JSON'],
    'a header that is a list': [file('[]'), 'expected a JSON object'],
    'a header that is null': [file('null'), 'expected a JSON object'],
    'deep nesting': [file('['.repeat(100_000)), 'nested more than 64 deep'],
    'a name given twice': [
      file(`{"x":${entry('U8', [1], 0, 1)},"\\u0078" :${entry('U8', [1], 1, 2)}}`, 2),
      'the key "x" occurs twice',
    ],
    'a field given twice': [
      file('{"x":{"dtype":"U8","dtype":"U8","shape":[0],"data_offsets":[0,0]}}'),
      'the key "dtype" occurs twice',
    ],
    'metadata that is no object': [file('{"__metadata__":[]}'), 'bad __metadata__'],
    'metadata that is no text': [file('{"__metadata__":{"a":1}}'), 'bad __metadata__'],
    'an entry that is no object': [file('{"x":1}'), 'tensor "x" has an entry of the wrong kind: got "1"'],
    'an unknown dtype': [file(`{"x":${entry('F31', [2], 0, 8)}}`, 8), 'tensor "x" has an unknown dtype'],
    'a dtype that objects inherit': [
      file(`{"x":${entry('toString', [2], 0, 8)}}`, 8),
      'tensor "x" has an unknown dtype',
    ],
    'no shape': [file('{"x":{"dtype":"U8","data_offsets":[0,0]}}'), 'tensor "x" has a bad shape'],
    'a negative dimension': [file(`{"x":${entry('F32', [-1, -2], 0, 8)}}`, 8), 'tensor "x" has a bad shape'],
    'a fractional dimension': [file(`{"x":${entry('F32', [0.5, 4], 0, 8)}}`, 8), 'tensor "x" has a bad shape'],
    'an unsafe dimension': [file(`{"x":${entry('F32', [2 ** 53], 0, 8)}}`, 8), 'tensor "x" has a bad shape'],
    'a shape that overflows': [
      file(`{"x":${entry('F32', [2 ** 40, 2 ** 40], 0, 8)}}`, 8),
      'tensor "x" has a shape that overflows',
    ],
    'one offset': [file('{"x":{"dtype":"U8","shape":[0],"data_offsets":[0]}}'), 'tensor "x" has bad data_offsets'],
    'offsets in the wrong order': [file(`{"x":${entry('U8', [1], 1, 0)}}`, 1), 'tensor "x" has bad data_offsets'],
    'a negative offset': [file(`{"x":${entry('U8', [1], -1, 0)}}`, 1), 'tensor "x" has bad data_offsets'],
    'a huge offset': [file(`{"x":${entry('U8', [1], 2 ** 53 - 2, 2 ** 53 - 1)}}`, 1), 'tensor "x" lies beyond the end'],
    'a length that the shape does not explain': [
      file(`{"x":${entry('F32', [3], 0, 8)}}`, 8),
      'got 8 bytes, expected 12',
    ],
    'half a byte': [file(`{"x":${entry('F4', [3], 0, 1)}}`, 1), 'got 1 bytes, expected 1.5'],
    truncation: [file(one, 7), 'tensor "x" lies beyond the end of the file, which may be truncated'],
    'bytes behind the last tensor': [file(one, 9), 'is longer than its tensors'],
    'data without tensors': [file('{}', 1), 'is longer than its tensors'],
    'an overlap': [
      file(`{"x":${entry('U8', [2], 0, 2)},"y":${entry('U8', [2], 1, 3)}}`, 3),
      'tensor "y" overlaps tensor "x"',
    ],
    'one tensor inside another': [
      file(`{"x":${entry('U8', [3], 0, 3)},"y":${entry('U8', [0], 1, 1)}}`, 3),
      'tensor "y" overlaps tensor "x"',
    ],
    'the same bytes twice': [
      file(`{"x":${entry('U8', [2], 0, 2)},"y":${entry('U8', [2], 0, 2)}}`, 2),
      'tensor "y" overlaps tensor "x"',
    ],
    'a gap at the start': [file(`{"x":${entry('U8', [1], 1, 2)}}`, 2), '1 bytes between the header and tensor "x"'],
    'a gap in the middle': [
      file(`{"x":${entry('U8', [1], 0, 1)},"y":${entry('U8', [1], 3, 4)}}`, 4),
      '2 bytes between tensor "x" and tensor "y"',
    ],
  }
  it.each(Object.keys(refused))('refuses %s', async (what) => {
    const [bytes, message] = refused[what]
    const error = await errorOf(bytes)
    expect(error.message).toContain(message)
    expect(error.message).toMatch(/^\[latentkit\] \[safetensors\] .*model\.safetensors/)
  })

  it('keeps a message short, however long the name', async () => {
    const error = await errorOf(file(`{"${'x'.repeat(100_000)}":1}`))
    expect(error.message.length).toBeLessThan(500)
  })
})

describe('writeSafetensors', () => {
  it('aligns every tensor to its element', async () => {
    const bytes = writeSafetensors({
      a: new Tensor('uint8', [1, 2, 3], [3]),
      b: new Tensor('float64', [1], [1]),
      c: new Tensor('float32', [1], [1]),
    })
    const { tensors } = await SafetensorsFile.fromBytes(bytes)
    expect([...tensors.keys()]).toEqual(['b', 'c', 'a'])
    expect([...tensors.values()].map(({ offset }) => offset % 8)).toEqual([0, 0, 4])
  })

  it('refuses bytes that the shape does not explain, and types without a name', () => {
    const short: RawTensor = { dtype: 'F32', shape: [2], data: new Uint8Array(4) }
    expect(() => writeSafetensors({ short })).toThrow('tensor "short" has the wrong length: got 4 bytes, expected 8')
    expect(() => writeSafetensors({ text: new Tensor('string', ['a'], [1]) })).toThrow(InvalidArgumentError)
  })
})

describe('the checkpoints of the fixtures', () => {
  const folders = ['test/fixtures/models', 'models']
  const files = folders.flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.safetensors'))
      .map((name) => join(folder, name)),
  )

  it('are there', () => expect(files.length).toBeGreaterThan(30))

  it.each(files)('%s opens, and its first and last tensor can be read', async (path) => {
    const opened = await SafetensorsFile.open(await openFile(path))
    const names = [...opened.tensors.keys()]
    expect(names.length).toBeGreaterThan(0)
    for (const name of [names[0], names[names.length - 1]]) {
      const tensor = await opened.readTensor(name)
      expect(tensor.dims).toEqual(opened.info(name).shape)
      if (tensor.data instanceof Float32Array) expect(tensor.data.every(Number.isFinite)).toBe(true)
    }
  })
})
