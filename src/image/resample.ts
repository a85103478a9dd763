import type { Channels, Pixels } from '../core/pixels'

/** How values between pixels are made; the same as Pillow's filters of these names. */
export type Resample = 'lanczos' | 'bicubic' | 'bilinear' | 'nearest'

interface Filter {
  /** Half the width of the filter, in source pixels when the image grows. */
  readonly support: number
  readonly weight: (x: number) => number
}

const sinc = (x: number) => (x === 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI))

const filters: Readonly<Record<Exclude<Resample, 'nearest'>, Filter>> = {
  lanczos: { support: 3, weight: (x) => (-3 <= x && x < 3 ? sinc(x) * sinc(x / 3) : 0) },
  // Keys' cubic convolution with a = -0.5.
  bicubic: {
    support: 2,
    weight: (signed) => {
      const x = Math.abs(signed)
      if (x < 1) return (1.5 * x - 2.5) * x * x + 1
      return x < 2 ? (((x - 5) * x + 8) * x - 4) * -0.5 : 0
    },
  },
  bilinear: { support: 1, weight: (x) => Math.max(1 - Math.abs(x), 0) },
}

/** Names of the filters, for messages and checks. */
export const resampleNames: readonly Resample[] = ['lanczos', 'bicubic', 'bilinear', 'nearest']

/**
 * Resizes to `width` by `height` pixels, equal to Pillow's `Image.resize` bit for bit: with alpha, the colours are
 * multiplied by it before and divided by it after; an image of the same size is only copied.
 */
export function resamplePixels(image: Pixels, width: number, height: number, resample: Resample): Pixels {
  const { channels } = image
  if (width === image.width && height === image.height) return { ...image, data: image.data.slice() }
  if (resample === 'nearest') return { width, height, channels, data: nearest(image, width, height) }
  const hasAlpha = channels === 2 || channels === 4
  const filter = filters[resample]
  let data = hasAlpha ? premultiply(image.data, channels) : image.data
  if (width !== image.width) data = convolve(data, image.height, image.width, channels, width, filter)
  if (height !== image.height) data = convolve(data, 1, image.height, width * channels, height, filter)
  if (hasAlpha) unpremultiply(data, channels)
  return { width, height, channels, data }
}

/** The nearest source pixel, at positions that add up as Pillow's do. */
function nearest({ data, channels, ...source }: Pixels, width: number, height: number): Pixels['data'] {
  const columns = positions(source.width, width)
  const rows = positions(source.height, height)
  const out = new Uint8ClampedArray(width * height * channels)
  let target = 0
  for (const row of rows) {
    for (const column of columns) {
      const from = (row * source.width + column) * channels
      for (let c = 0; c < channels; c++) out[target++] = data[from + c]
    }
  }
  return out
}

function positions(from: number, to: number): Int32Array {
  const scale = from / to
  let position = scale * 0.5
  return Int32Array.from({ length: to }, () => {
    const index = Math.floor(position)
    // Pillow adds the step up instead of multiplying: the sum's rounding error is part of the result.
    position += scale
    return Math.min(index, from - 1)
  })
}

/** Pillow's weights are whole numbers of this many bits: 32, less 8 for the value and 2 against overflow. */
const PRECISION_BITS = 22

/**
 * One pass: filters along the middle dimension of `data`, which has the shape [outer, from, inner], to the shape
 * [outer, to, inner]. A horizontal pass has a row as `from` and a pixel as `inner`; a vertical one a whole row as
 * `inner`.
 */
function convolve(
  data: Pixels['data'],
  outer: number,
  from: number,
  inner: number,
  to: number,
  filter: Filter,
): Pixels['data'] {
  const { starts, counts, weights, stride } = filterWeights(from, to, filter)
  const out = new Uint8ClampedArray(outer * to * inner)
  const half = 1 << (PRECISION_BITS - 1)
  let target = 0
  for (let o = 0; o < outer; o++) {
    for (let n = 0; n < to; n++) {
      const first = (o * from + starts[n]) * inner
      const [begin, end] = [n * stride, n * stride + counts[n]]
      for (let i = 0; i < inner; i++) {
        let sum = half
        for (let k = begin, source = first + i; k < end; k++, source += inner) sum += data[source] * weights[k]
        out[target++] = sum >> PRECISION_BITS
      }
    }
  }
  return out
}

/** For each of `to` places: the first source place, how many there are, and their weights at `place · stride`. */
function filterWeights(from: number, to: number, { support, weight }: Filter) {
  const scale = from / to
  // When the image shrinks, the filter widens, so that every source pixel counts.
  const filterScale = Math.max(scale, 1)
  const reach = support * filterScale
  const stride = Math.ceil(reach) * 2 + 1
  const starts = new Int32Array(to)
  const counts = new Int32Array(to)
  const weights = new Int32Array(to * stride)
  for (let n = 0; n < to; n++) {
    const center = (n + 0.5) * scale
    const start = Math.max(Math.trunc(center - reach + 0.5), 0)
    const count = Math.min(Math.trunc(center + reach + 0.5), from) - start
    // Pillow multiplies by the reciprocal; a division would round otherwise.
    const shares = Array.from({ length: count }, (_, k) => weight((k + start - center + 0.5) * (1 / filterScale)))
    const sum = shares.reduce((total, share) => total + share, 0)
    for (let k = 0; k < count; k++) {
      const share = (sum === 0 ? shares[k] : shares[k] / sum) * (1 << PRECISION_BITS)
      weights[n * stride + k] = Math.trunc(share < 0 ? share - 0.5 : share + 0.5)
    }
    starts[n] = start
    counts[n] = count
  }
  return { starts, counts, weights, stride }
}

function premultiply(data: Pixels['data'], channels: Channels): Pixels['data'] {
  const out = data.slice()
  for (let pixel = 0; pixel < out.length; pixel += channels) {
    const alpha = out[pixel + channels - 1]
    for (let c = 0; c < channels - 1; c++) {
      // A division by 255 that rounds, in whole numbers, as Pillow does it.
      const product = out[pixel + c] * alpha + 128
      out[pixel + c] = ((product >> 8) + product) >> 8
    }
  }
  return out
}

function unpremultiply(data: Pixels['data'], channels: Channels): void {
  for (let pixel = 0; pixel < data.length; pixel += channels) {
    const alpha = data[pixel + channels - 1]
    if (alpha === 0 || alpha === 255) continue
    for (let c = 0; c < channels - 1; c++) data[pixel + c] = Math.floor((255 * data[pixel + c]) / alpha)
  }
}
