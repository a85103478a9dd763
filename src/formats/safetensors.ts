import type { Tensor } from 'onnxruntime-common'
import { FormatError, NotFoundError } from '../core/errors'
import { bytesSource, type FileSource } from '../core/file'
import { isJsonObject, parseJson, quote } from './json'

import { bitsOf, decodeTensor, isSafetensorsDtype, type SafetensorsDtype } from './safetensors-dtypes'

export type { SafetensorsDtype } from './safetensors-dtypes'
export { type RawTensor, writeSafetensors } from './safetensors-writer'

/** The largest header that the format allows, in bytes. */
const MAX_HEADER = 100_000_000

/** Where a tensor of a safetensors file lies, and what it is. */
export interface TensorInfo {
  readonly name: string
  readonly dtype: SafetensorsDtype
  /** Dimensions; empty for a scalar. */
  readonly shape: readonly number[]
  /** Offset of the first byte, from the start of the file. */
  readonly offset: number
  /** Length in bytes. */
  readonly length: number
}

/**
 * One safetensors file: its header, checked, and its tensors, read when asked for. Opening reads the header alone.
 *
 * The checks are those of the reference implementation and a few more: the tensors fill the rest of the file without gap
 * or overlap, names are unique, shape and dtype explain the length.
 */
export class SafetensorsFile {
  private constructor(
    /** The file that the tensors lie in. */
    readonly source: FileSource,
    /** The header's free-form notes (`__metadata__`), such as `{ format: 'pt' }`. */
    readonly metadata: Readonly<Record<string, string>>,
    /** Every tensor by name, in the order of the file. */
    readonly tensors: ReadonlyMap<string, TensorInfo>,
  ) {}

  /**
   * Reads and checks the header of `source`.
   *
   * @throws FormatError that names the file, the tensor and the reason.
   */
  static async open(source: FileSource): Promise<SafetensorsFile> {
    const fail = failure(source.name)
    if (source.size < 8) throw fail(`is truncated: got ${source.size} bytes, expected at least 8`)
    const prefix = await source.read(0, 8)
    const headerLength = new DataView(prefix.buffer, prefix.byteOffset, 8).getBigUint64(0, true)
    if (headerLength > MAX_HEADER) {
      throw fail(`has no plausible header: got a length of ${headerLength} bytes, expected at most ${MAX_HEADER}`)
    }
    const dataStart = 8 + Number(headerLength)
    if (dataStart > source.size) {
      throw fail(`is truncated: got ${source.size} bytes, expected ${dataStart} for the header alone`)
    }
    const header = parseJson(await source.read(8, Number(headerLength)), 'safetensors', `the header of ${source.name}`)
    if (!isJsonObject(header)) throw fail('has a header of the wrong kind: expected a JSON object')

    const { __metadata__: metadata, ...entries } = header
    const infos = Object.entries(entries).map(([name, entry]) => tensorInfo(name, entry, dataStart, source))
    infos.sort((a, b) => a.offset - b.offset || a.length - b.length)
    checkCoverage(infos, dataStart, source)
    return new SafetensorsFile(source, checkMetadata(metadata, fail), new Map(infos.map((info) => [info.name, info])))
  }

  /** As {@link SafetensorsFile.open}, for a file in memory; `name` is what errors call it. */
  static async fromBytes(bytes: Uint8Array, name = 'bytes'): Promise<SafetensorsFile> {
    return SafetensorsFile.open(bytesSource(bytes, name))
  }

  /**
   * What the header says about the tensor.
   *
   * @throws NotFoundError when the file has no tensor of that name.
   */
  info(name: string): TensorInfo {
    const info = this.tensors.get(name)
    if (!info) throw new NotFoundError('safetensors', `${this.source.name} has no tensor ${quote(name)}`)
    return info
  }

  /**
   * The tensor's bytes as they are in the file, little-endian. Treat them as read-only: they may be a view of the file.
   *
   * @throws NotFoundError when the file has no tensor of that name.
   */
  async read(name: string): Promise<Uint8Array> {
    const { offset, length } = this.info(name)
    return this.source.read(offset, length)
  }

  /**
   * The tensor's values: F16, BF16, F8_E4M3 and F8_E5M2 as float32, every other type as it is.
   *
   * @throws NotFoundError when the file has no tensor of that name.
   * @throws UnsupportedError when JavaScript has no array for its dtype.
   */
  async readTensor(name: string): Promise<Tensor> {
    const { dtype, shape } = this.info(name)
    return decodeTensor(dtype, shape, await this.read(name), `${this.source.name}: tensor ${quote(name)}`)
  }
}

function failure(file: string): (message: string) => FormatError {
  return (message) => new FormatError('safetensors', `${file} ${message}`)
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0
}

/** One entry of the header, checked in itself and against the size of the file. */
function tensorInfo(name: string, entry: unknown, dataStart: number, source: FileSource): TensorInfo {
  const fail = failure(`${source.name}: tensor ${quote(name)}`)
  const got = (value: unknown) => quote(JSON.stringify(value) ?? 'nothing')
  if (!isJsonObject(entry)) throw fail(`has an entry of the wrong kind: got ${got(entry)}, expected an object`)
  const { dtype, shape, data_offsets: offsets } = entry
  if (!isSafetensorsDtype(dtype)) throw fail(`has an unknown dtype: got ${got(dtype)}, expected one such as F32`)
  if (!Array.isArray(shape) || !shape.every(isCount)) {
    throw fail(`has a bad shape: got ${got(shape)}, expected non-negative integers`)
  }
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount) || offsets[0] > offsets[1]) {
    throw fail(`has bad data_offsets: got ${got(offsets)}, expected [begin, end]`)
  }
  const [begin, end] = offsets
  if (dataStart + end > source.size) {
    throw fail(
      `lies beyond the end of the file, which may be truncated: got ${source.size} bytes, expected ${dataStart + end}`,
    )
  }
  let bits = bitsOf(dtype)
  for (const dim of shape) {
    bits *= dim
    // Beyond 2^53 the product is no longer exact: no file is that long, whatever the other dimensions are.
    if (!Number.isSafeInteger(bits)) throw fail(`has a shape that overflows: got ${got(shape)}`)
  }
  if (bits !== (end - begin) * 8) {
    throw fail(
      `has a length that its shape does not explain: got ${end - begin} bytes, expected ${bits / 8} for ${dtype} ${got(shape)}`,
    )
  }
  return { name, dtype, shape, offset: dataStart + begin, length: end - begin }
}

/** The tensors, sorted, must cover everything behind the header exactly once. */
function checkCoverage(infos: readonly TensorInfo[], dataStart: number, source: FileSource): void {
  const fail = failure(source.name)
  let end = dataStart
  let previous = 'the header'
  for (const { name, offset, length } of infos) {
    if (offset < end) throw fail(`is inconsistent: tensor ${quote(name)} overlaps ${previous}`)
    if (offset > end)
      throw fail(`is inconsistent: ${offset - end} bytes between ${previous} and tensor ${quote(name)} belong to none`)
    end = offset + length
    previous = `tensor ${quote(name)}`
  }
  if (end !== source.size) throw fail(`is longer than its tensors: got ${source.size} bytes, expected ${end}`)
}

function checkMetadata(metadata: unknown, fail: (message: string) => FormatError): Readonly<Record<string, string>> {
  if (metadata === undefined) return {}
  const isText = (entry: [string, unknown]): entry is [string, string] => typeof entry[1] === 'string'
  const entries = isJsonObject(metadata) ? Object.entries(metadata) : undefined
  if (!entries?.every(isText)) throw fail('has a bad __metadata__: expected an object of strings')
  return Object.fromEntries(entries)
}
