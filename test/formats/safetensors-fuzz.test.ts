import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FormatError } from '../../src/core/errors'
import { bytesSource, type FileSource } from '../../src/core/file'
import { SafetensorsFile } from '../../src/formats/safetensors'
import { parseSafetensorsIndex } from '../../src/formats/safetensors-index'
import { writeSafetensors } from '../../src/formats/safetensors-writer'

const base = writeSafetensors(
  {
    'conv.weight': { dtype: 'F16', shape: [2, 3], data: new Uint8Array(12) },
    'conv.bias': { dtype: 'F32', shape: [2], data: new Uint8Array(8) },
    step: { dtype: 'I64', shape: [], data: new Uint8Array(8) },
  },
  { format: 'pt' },
)
const headerEnd = base.length - 28

/**
 * Opens the file and reads all of it. Whatever the bytes are, it ends in a FormatError or in tensors that lie inside the
 * file, and nothing asks for more bytes than the file has.
 */
async function survives(bytes: Uint8Array): Promise<'refused' | 'read'> {
  const inner = bytesSource(bytes, 'fuzz')
  let largest = 0
  const source: FileSource = {
    ...inner,
    read(offset, length) {
      largest = Math.max(largest, offset + length)
      return inner.read(offset, length)
    },
  }
  let opened: SafetensorsFile
  try {
    opened = await SafetensorsFile.open(source)
  } catch (error) {
    expect(error).toBeInstanceOf(FormatError)
    expect(largest).toBeLessThanOrEqual(bytes.length)
    return 'refused'
  }
  let total = 0
  for (const [name, { length }] of opened.tensors) {
    expect((await opened.read(name)).length).toBe(length)
    total += length
  }
  expect(largest).toBeLessThanOrEqual(bytes.length)
  expect(total).toBeLessThan(bytes.length)
  return 'read'
}

function withLength(header: Uint8Array, data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(8 + header.length + data.length)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(header.length), true)
  bytes.set(header, 8)
  bytes.set(data, 8 + header.length)
  return bytes
}

describe('a hostile safetensors file', () => {
  it('of random bytes is refused or read', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) => {
        await survives(bytes)
      }),
      { numRuns: 2000 },
    )
  })

  it('of random bytes behind a plausible length is refused or read', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), fc.uint8Array({ maxLength: 20 }), async (header, data) => {
        await survives(withLength(header, data))
      }),
      { numRuns: 2000 },
    )
  })

  it('whose header is mutated byte by byte is refused or read', async () => {
    const mutation = fc.tuple(fc.integer({ min: 0, max: headerEnd - 1 }), fc.integer({ min: 0, max: 255 }))
    await fc.assert(
      fc.asyncProperty(fc.array(mutation, { minLength: 1, maxLength: 4 }), async (mutations) => {
        const bytes = base.slice()
        for (const [at, value] of mutations) bytes[at] = value
        await survives(bytes)
      }),
      { numRuns: 5000 },
    )
  })

  it('cut anywhere is refused', async () => {
    expect(await survives(base)).toBe('read')
    for (let length = 0; length < base.length; length++) expect(await survives(base.slice(0, length))).toBe('refused')
  })

  it('with any JSON for a header is refused or read', async () => {
    const number = fc.oneof(fc.integer({ min: -2, max: 30 }), fc.double(), fc.constantFrom(2 ** 31, 2 ** 53, -0, 1e308))
    const info = fc.record(
      {
        dtype: fc.oneof(fc.constantFrom('F32', 'U8', 'F4', 'BOOL', '__proto__'), fc.jsonValue()),
        shape: fc.oneof(fc.array(number, { maxLength: 3 }), fc.jsonValue()),
        data_offsets: fc.oneof(fc.array(number, { maxLength: 3 }), fc.jsonValue()),
      },
      { requiredKeys: [] },
    )
    const name = fc.oneof(fc.string(), fc.constantFrom('__metadata__', '__proto__', 'constructor'))
    const header = fc.dictionary(name, fc.oneof({ weight: 5, arbitrary: info }, fc.jsonValue()), { maxKeys: 4 })
    await fc.assert(
      fc.asyncProperty(header, fc.uint8Array({ maxLength: 40 }), async (value, data) => {
        await survives(withLength(new TextEncoder().encode(JSON.stringify(value)), data))
      }),
      { numRuns: 5000 },
    )
  })
})

describe('a hostile index', () => {
  it('is refused or gives file names that stay in the folder', () => {
    const value = fc.oneof(
      fc.record({
        weight_map: fc.dictionary(
          fc.string(),
          fc.oneof(
            fc.string().map((name) => `${name}.safetensors`),
            fc.jsonValue(),
          ),
        ),
      }),
      fc.jsonValue(),
    )
    const bytes = fc.oneof(
      value.map((json) => new TextEncoder().encode(JSON.stringify(json))),
      fc.uint8Array({ maxLength: 100 }),
    )
    fc.assert(
      fc.property(bytes, (input) => {
        try {
          for (const file of parseSafetensorsIndex(input, 'fuzz').weightMap.values()) {
            expect(file).not.toMatch(/^\.*$|[/\\]/)
          }
        } catch (error) {
          if (!(error instanceof FormatError)) throw error
        }
      }),
      { numRuns: 3000 },
    )
  })
})
