import { FormatError } from '../core/errors'
import { type Channels, MAX_PIXELS } from '../core/pixels'

/** What the `IHDR` chunk of a PNG file says. */
export interface PngHeader {
  readonly width: number
  readonly height: number
  /** Bits a sample. */
  readonly depth: number
  readonly colorType: number
  readonly interlaced: boolean
  /** Samples a pixel. */
  readonly samples: Channels
}

/** The colour type whose samples are indices into a palette. */
export const PALETTE_COLOR = 3

/** Samples a pixel and the bit depths that the PNG specification allows, by colour type. */
const colorTypes: Readonly<Record<number, { readonly samples: Channels; readonly depths: readonly number[] }>> = {
  0: { samples: 1, depths: [1, 2, 4, 8, 16] },
  2: { samples: 3, depths: [8, 16] },
  [PALETTE_COLOR]: { samples: 1, depths: [1, 2, 4, 8] },
  4: { samples: 2, depths: [8, 16] },
  6: { samples: 4, depths: [8, 16] },
}

/** Reads `IHDR`. Throws a {@link FormatError} for a size or a kind of pixels that cannot be. */
export function readPngHeader(data: Uint8Array): PngHeader {
  if (data.length !== 13) throw new FormatError('png', `IHDR has the wrong length: got ${data.length}, expected 13`)
  const view = new DataView(data.buffer, data.byteOffset)
  const [width, height] = [view.getUint32(0), view.getUint32(4)]
  const [depth, colorType, compression, filter, interlace] = data.subarray(8)
  if (width === 0 || height === 0 || width * height > MAX_PIXELS) {
    throw new FormatError('png', `the size is not possible: got ${width}x${height}, expected 1 to ${MAX_PIXELS} pixels`)
  }
  const kind = colorTypes[colorType]
  if (!kind?.depths.includes(depth)) {
    throw new FormatError('png', `no such pixels: got colour type ${colorType} with ${depth} bits`)
  }
  if (compression !== 0 || filter !== 0 || interlace > 1) {
    throw new FormatError(
      'png',
      `unknown method: got compression ${compression}, filter ${filter}, interlace ${interlace}`,
    )
  }
  return { width, height, depth, colorType, interlaced: interlace === 1, samples: kind.samples }
}

/** Rows that are stored together: the whole image, or one of the seven parts of an interlaced one. */
export interface PngPass {
  /** The first pixel's place in the image. */
  readonly x: number
  readonly y: number
  /** The distance to the next pixel. */
  readonly stepX: number
  readonly stepY: number
  /** Pixels a row and rows, of this pass; at least 1. */
  readonly width: number
  readonly height: number
}

/** x, y, stepX, stepY of the Adam7 passes. */
const adam7 = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
] as const

/** The passes that the pixels are stored in; empty ones are left out, as in the file. */
export function pngPasses({ width, height, interlaced }: PngHeader): PngPass[] {
  const steps = interlaced ? adam7 : ([[0, 0, 1, 1]] as const)
  return steps
    .map(([x, y, stepX, stepY]) => {
      return { x, y, stepX, stepY, width: Math.ceil((width - x) / stepX), height: Math.ceil((height - y) / stepY) }
    })
    .filter((pass) => pass.width > 0 && pass.height > 0)
}
