import { Tensor } from 'onnxruntime-common'
import { describe, expect, it } from 'vitest'
import { FormatError, NotFoundError } from '../../src/core/errors'
import { bytesSource, type Repository } from '../../src/core/file'
import { openSafetensorsShards, parseSafetensorsIndex } from '../../src/formats/safetensors-index'
import { writeSafetensors } from '../../src/formats/safetensors-writer'

const encode = (value: unknown) => new TextEncoder().encode(typeof value === 'string' ? value : JSON.stringify(value))

function repository(files: Record<string, Uint8Array>): Repository {
  return {
    name: 'repo',
    async open(path) {
      return Object.hasOwn(files, path) ? bytesSource(files[path], path) : undefined
    },
  }
}

const first = 'model-00001-of-00002.safetensors'
const second = 'model-00002-of-00002.safetensors'
const index = { metadata: { total_size: 12 }, weight_map: { a: first, b: second, c: first } }
const shards = {
  [`unet/${first}`]: writeSafetensors({ a: new Tensor('float32', [1], [1]), c: new Tensor('float32', [3], [1]) }),
  [`unet/${second}`]: writeSafetensors({ b: new Tensor('float32', [2], [1]) }),
}
const path = 'unet/model.safetensors.index.json'

describe('openSafetensorsShards', () => {
  it('finds every tensor in its shard, and opens a shard once', async () => {
    const tensors = await openSafetensorsShards(repository({ ...shards, [path]: encode(index) }), path)
    expect([...tensors.keys()]).toEqual(['a', 'b', 'c'])
    expect(tensors.get('a')).toBe(tensors.get('c'))
    const values = await Promise.all([...tensors].map(async ([name, shard]) => (await shard.readTensor(name)).data[0]))
    expect(values).toEqual([1, 2, 3])
  })

  it('finds shards beside an index at the root', async () => {
    const files = { [first]: shards[`unet/${first}`], 'index.json': encode({ weight_map: { a: first } }) }
    expect((await openSafetensorsShards(repository(files), 'index.json')).size).toBe(1)
  })

  it('names the index or the shard that is missing', async () => {
    await expect(openSafetensorsShards(repository(shards), path)).rejects.toThrow(NotFoundError)
    await expect(openSafetensorsShards(repository(shards), path)).rejects.toThrow(`repo has no ${path}`)
    const files = { [`unet/${first}`]: shards[`unet/${first}`], [path]: encode(index) }
    await expect(openSafetensorsShards(repository(files), path)).rejects.toThrow(
      `repo has no unet/${second}, which ${path} names`,
    )
  })

  it('refuses an index that promises a tensor its shard lacks', async () => {
    const wrong = { weight_map: { ...index.weight_map, b: first } }
    const opening = openSafetensorsShards(repository({ ...shards, [path]: encode(wrong) }), path)
    await expect(opening).rejects.toThrow(FormatError)
    await expect(opening).rejects.toThrow(`unet/${first} has no tensor "b", which ${path} promises`)
  })
})

describe('parseSafetensorsIndex', () => {
  it('gives the total size where there is one', () => {
    expect(parseSafetensorsIndex(encode(index), 'i').totalSize).toBe(12)
    expect(parseSafetensorsIndex(encode({ weight_map: {} }), 'i').totalSize).toBeUndefined()
  })

  const outside = [
    '../x.safetensors',
    'a/x.safetensors',
    '/x.safetensors',
    'a\\x.safetensors',
    'C:x.safetensors',
    'x\0.safetensors',
    '..',
    '.safetensors',
    '',
    'x.bin',
    7,
    null,
  ]
  it.each(outside)('refuses the shard %j', (shard) => {
    const parse = () => parseSafetensorsIndex(encode({ weight_map: { 'conv.weight': shard } }), 'x.index.json')
    expect(parse).toThrow(FormatError)
    expect(parse).toThrow('x.index.json names no shard for tensor "conv.weight"')
  })

  it.each(['12', -1, 1.5, null, 2 ** 60])('refuses the total size %j', (size) => {
    expect(() => parseSafetensorsIndex(encode({ metadata: { total_size: size }, weight_map: {} }), 'i')).toThrow(
      'i has a bad total_size',
    )
  })

  const refused: Record<string, unknown> = {
    'no JSON': '{',
    'a list': [],
    'no weight_map': {},
    'a weight_map that is a list': { weight_map: [] },
    'metadata that is a list': { metadata: [], weight_map: {} },
    'a tensor named twice': `{"weight_map":{"a":"${first}","a":"${second}"}}`,
  }
  it.each(Object.keys(refused))('refuses %s', (what) => {
    expect(() => parseSafetensorsIndex(encode(refused[what]), 'x.index.json')).toThrow(FormatError)
    expect(() => parseSafetensorsIndex(encode(refused[what]), 'x.index.json')).toThrow('x.index.json')
  })
})
