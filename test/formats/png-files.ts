import { deflateSync } from 'node:zlib'
import { joinPng, pngChunk } from '../../src/formats/png-chunks'

/** A kind of PNG: colour type, bits a sample, samples a pixel. */
export interface Kind {
  readonly colorType: number
  readonly depth: number
  readonly samples: number
}

/** Every kind that the PNG specification allows (table 11.1). */
export const kinds: readonly Kind[] = [
  ...[1, 2, 4, 8, 16].map((depth) => ({ colorType: 0, depth, samples: 1 })),
  ...[8, 16].map((depth) => ({ colorType: 2, depth, samples: 3 })),
  ...[1, 2, 4, 8].map((depth) => ({ colorType: 3, depth, samples: 1 })),
  ...[8, 16].map((depth) => ({ colorType: 4, depth, samples: 2 })),
  ...[8, 16].map((depth) => ({ colorType: 6, depth, samples: 4 })),
]

/** The `IHDR` chunk. */
export function headerChunk(width: number, height: number, kind: Kind, interlace: number): Uint8Array {
  const data = new DataView(new ArrayBuffer(13))
  data.setUint32(0, width)
  data.setUint32(4, height)
  data.setUint8(8, kind.depth)
  data.setUint8(9, kind.colorType)
  data.setUint8(12, interlace)
  return pngChunk('IHDR', new Uint8Array(data.buffer))
}

/** A PNG of these samples, with filter 0, written bit by bit; `extra` chunks stand before the pixels. */
export function buildPng(
  width: number,
  height: number,
  kind: Kind,
  interlaced: boolean,
  samples: ArrayLike<number>,
  extra: readonly Uint8Array[] = [],
): Uint8Array {
  const grids = interlaced ? ['0,0,8,8', '4,0,8,8', '0,4,4,8', '2,0,4,4', '0,2,2,4', '1,0,2,2', '0,1,1,2'] : ['0,0,1,1']
  const bytes: number[] = []
  for (const grid of grids) {
    const [x0, y0, stepX, stepY] = grid.split(',').map(Number)
    for (let y = y0; y < height && x0 < width; y += stepY) {
      let bits = ''
      for (let x = x0; x < width; x += stepX) {
        for (let c = 0; c < kind.samples; c++) {
          bits += samples[(y * width + x) * kind.samples + c].toString(2).padStart(kind.depth, '0')
        }
      }
      bytes.push(0, ...(bits.match(/.{1,8}/g) ?? []).map((byte) => Number.parseInt(byte.padEnd(8, '0'), 2)))
    }
  }
  const pixels = deflateSync(Uint8Array.from(bytes))
  // Two IDAT chunks: readers must join them.
  return joinPng([
    headerChunk(width, height, kind, interlaced ? 1 : 0),
    ...extra,
    pngChunk('IDAT', pixels.subarray(0, 5)),
    pngChunk('IDAT', pixels.subarray(5)),
    pngChunk('IEND', new Uint8Array(0)),
  ])
}

/** Numbers 0 to 2^32-1 that a seed makes (mulberry32). */
export function numbers(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return (t ^ (t >>> 14)) >>> 0
  }
}
