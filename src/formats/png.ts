import { zlibSync } from 'fflate'
import { FormatError } from '../core/errors'
import type { Channels, Pixels } from '../core/pixels'
import { inflatedLimit, inflateInto } from './inflate'
import { joinPng, pngChunk, pngChunks } from './png-chunks'
import { filterRow, unfilterRow } from './png-filter'
import { PALETTE_COLOR, type PngHeader, type PngPass, pngPasses, readPngHeader } from './png-header'
import { textOf } from './png-text'

/** An image and the text that its file carries, by keyword. */
export interface PngImage extends Pixels {
  readonly text: Readonly<Record<string, string>>
}

/**
 * Decodes a PNG file: every colour type and bit depth, interlaced or not. A palette becomes RGB; a transparent colour or
 * a palette with transparency becomes alpha; 16-bit values keep their high byte, as in Pillow; fewer bits are spread
 * over 0 to 255. No memory is taken before the header is plausible for the amount of data, and none beyond it.
 *
 * @throws FormatError when the file is cut off, damaged or has more than 178,956,970 pixels.
 */
export function decodePng(file: Uint8Array): PngImage {
  const chunks = [...pngChunks(file)]
  const header = readPngHeader(chunks[0].data)
  const unknown = chunks.find(({ type }) => type < 'a' && !['IHDR', 'PLTE', 'IDAT', 'IEND'].includes(type))
  if (unknown) throw new FormatError('png', `unknown critical chunk: got ${unknown.type}`)
  const last = (type: string) => chunks.findLast((chunk) => chunk.type === type)?.data
  const samples = readSamples(
    header,
    chunks.filter((chunk) => chunk.type === 'IDAT').map((chunk) => chunk.data),
  )
  const pixels =
    header.colorType === PALETTE_COLOR
      ? lookUp(samples, last('PLTE'), last('tRNS'))
      : toPixels(header, samples, last('tRNS'))
  return { width: header.width, height: header.height, ...pixels, text: textOf(chunks) }
}

/** Encodes an image as a PNG file of 8 bits a sample: grayscale, grayscale with alpha, RGB or RGBA. */
export function encodePng({ width, height, channels, data }: Pixels): Uint8Array {
  const header = new Uint8Array(13)
  const view = new DataView(header.buffer)
  view.setUint32(0, width)
  view.setUint32(4, height)
  header[8] = 8
  header[9] = [0, 4, 2, 6][channels - 1]
  const rowBytes = width * channels
  const scanlines = new Uint8Array(height * (rowBytes + 1))
  let previous = new Uint8Array(rowBytes)
  for (let y = 0; y < height; y++) {
    const row = new Uint8Array(data.buffer, data.byteOffset + y * rowBytes, rowBytes)
    filterRow(row, previous, channels, scanlines.subarray(y * (rowBytes + 1), (y + 1) * (rowBytes + 1)))
    previous = row
  }
  return joinPng([
    pngChunk('IHDR', header),
    pngChunk('IDAT', zlibSync(scanlines, { level: 6 })),
    pngChunk('IEND', new Uint8Array(0)),
  ])
}

type Samples = Uint8Array<ArrayBuffer> | Uint16Array<ArrayBuffer>

/** The file's samples as they are, in the image's order: inflated, unfiltered, unpacked and deinterlaced. */
function readSamples(header: PngHeader, parts: readonly Uint8Array[]): Samples {
  const { width, height, depth, samples } = header
  const bytesOf = (pixels: number) => Math.ceil((pixels * samples * depth) / 8)
  const passes = pngPasses(header)
  const size = passes.reduce((sum, pass) => sum + pass.height * (1 + bytesOf(pass.width)), 0)
  const compressed = parts.reduce((sum, part) => sum + part.length, 0)
  const cutOff = (got: number) => new FormatError('png', `too little pixel data: got ${got} bytes, expected ${size}`)
  if (size > inflatedLimit(compressed)) throw cutOff(inflatedLimit(compressed))
  const scanlines = new Uint8Array(size)
  const filled = inflateInto(parts, scanlines, 'png')
  if (filled < size) throw cutOff(filled)

  const out = new (depth === 16 ? Uint16Array : Uint8Array)(width * height * samples)
  const sampleAt = sampleReader(depth)
  const writeRow = (row: Uint8Array, start: number, pass: PngPass) => {
    if (depth === 8 && pass.stepX === 1) return out.set(row, start)
    for (let x = 0, target = start; x < pass.width; x++, target += pass.stepX * samples) {
      for (let c = 0; c < samples; c++) out[target + c] = sampleAt(row, x * samples + c)
    }
  }
  let offset = 0
  for (const pass of passes) {
    const rowBytes = bytesOf(pass.width)
    let previous = new Uint8Array(rowBytes)
    for (let y = 0; y < pass.height; y++) {
      const row = scanlines.subarray(offset + 1, offset + 1 + rowBytes)
      unfilterRow(scanlines[offset], row, previous, bytesOf(1))
      writeRow(row, ((pass.y + y * pass.stepY) * width + pass.x) * samples, pass)
      previous = row
      offset += 1 + rowBytes
    }
  }
  return out
}

function sampleReader(depth: number): (row: Uint8Array, index: number) => number {
  if (depth === 8) return (row, index) => row[index]
  if (depth === 16) return (row, index) => (row[2 * index] << 8) | row[2 * index + 1]
  const mask = (1 << depth) - 1
  return (row, index) => (row[(index * depth) >> 3] >> (8 - depth - ((index * depth) & 7))) & mask
}

/** Samples scaled to 8 bits, with alpha where `tRNS` names a transparent colour. */
function toPixels(
  { depth, samples: count }: PngHeader,
  samples: Samples,
  transparency?: Uint8Array,
): Pick<Pixels, 'channels' | 'data'> {
  // A 16-bit value keeps its high byte, as in Pillow; the highest value of fewer bits becomes 255.
  const scale = depth === 16 ? 1 / 256 : 255 / (2 ** depth - 1)
  if (!transparency || count === 2 || count === 4) {
    if (depth === 8) return { channels: count, data: new Uint8ClampedArray(samples.buffer) }
    const data = new Uint8ClampedArray(samples.length)
    for (let i = 0; i < data.length; i++) data[i] = Math.floor(samples[i] * scale)
    return { channels: count, data }
  }
  if (transparency.length !== 2 * count) {
    throw new FormatError('png', `tRNS has the wrong length: got ${transparency.length}, expected ${2 * count}`)
  }
  const channels: Channels = count === 1 ? 2 : 4
  const readColor = sampleReader(16)
  const color = Array.from({ length: count }, (_, c) => readColor(transparency, c))
  const data = new Uint8ClampedArray((samples.length / count) * channels)
  for (let source = 0, target = 0; source < samples.length; source += count, target += channels) {
    for (let c = 0; c < count; c++) data[target + c] = Math.floor(samples[source + c] * scale)
    data[target + count] = color.every((value, c) => value === samples[source + c]) ? 0 : 255
  }
  return { channels, data }
}

/** The colours that palette indices stand for, with alpha where `tRNS` gives the palette one. */
function lookUp(
  indices: Samples,
  palette: Uint8Array = new Uint8Array(0),
  transparency?: Uint8Array,
): Pick<Pixels, 'channels' | 'data'> {
  const size = palette.length / 3
  if (!Number.isInteger(size) || size < 1 || size > 256) {
    throw new FormatError('png', `the palette has the wrong length: got ${palette.length}, expected 3 to 768 bytes`)
  }
  const channels = transparency ? 4 : 3
  const data = new Uint8ClampedArray(indices.length * channels)
  indices.forEach((index, pixel) => {
    if (index >= size)
      throw new FormatError('png', `a pixel is not in the palette: got ${index}, expected below ${size}`)
    for (let c = 0; c < 3; c++) data[pixel * channels + c] = palette[index * 3 + c]
    if (transparency) data[pixel * channels + 3] = transparency[index] ?? 255
  })
  return { channels, data }
}
