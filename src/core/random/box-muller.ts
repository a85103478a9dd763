import { log32, sinCos32 } from './float32-math'

const { fround } = Math

/** PyTorch's vectorised normal distribution works on blocks of this many numbers; shorter draws take the scalar path. */
export const BLOCK = 16

/** The Box-Muller transform of PyTorch's float32 normal numbers, in the memory that it works on. */
export interface BoxMuller32 {
  /** Where the engine's numbers go, whole blocks of 16: their low 24 bits are taken as numbers in [0, 1). */
  readonly words: Uint32Array
  /** The same memory, where the normal numbers come out: `j` and `j + 8` of a block are one pair. */
  readonly normals: Float32Array
  /** Turns the first `count` words into normal numbers. */
  transform(count: number): void
}

/** How many pairs of numbers are computed at once: long loops are fast ones. */
const PAIRS = 512
const words = new Uint32Array(2 * PAIRS)
const normals = new Float32Array(words.buffer)
const radii = new Float32Array(PAIRS)
const radiiBits = new Int32Array(radii.buffer)
const sines = new Float32Array(PAIRS)
const cosines = new Float32Array(PAIRS)
const TWO_PI = fround(2 * Math.PI)

/** It in TypeScript alone: what the kernel must give, and what runs where that is missing. */
export const scalarBoxMuller: BoxMuller32 = {
  words,
  normals,
  transform(count) {
    const half = BLOCK / 2
    for (let start = 0, pair = 0; start < count; start += BLOCK) {
      for (let j = start; j < start + half; j++, pair++) {
        radii[pair] = 1 - uniform24(words[j])
        sines[pair] = TWO_PI * uniform24(words[j + half])
      }
    }
    log32(radii, radiiBits, count / 2)
    sinCos32(sines, cosines, count / 2)
    for (let start = 0, pair = 0; start < count; start += BLOCK) {
      for (let j = start; j < start + half; j++, pair++) {
        const radius = fround(Math.sqrt(-2 * radii[pair]))
        normals[j] = radius * cosines[pair]
        normals[j + half] = radius * sines[pair]
      }
    }
  },
}

/** PyTorch's uniform float32 number: the low 24 bits as a multiple of 2⁻²⁴ in [0, 1). */
export function uniform24(word: number): number {
  return (word & 0xffffff) * 2 ** -24
}
