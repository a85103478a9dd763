import type { Channels, Pixels } from '../core/pixels'

/** What the channels of an image mean, in Pillow's words: L is grayscale, A alpha. */
export type Mode = 'L' | 'LA' | 'RGB' | 'RGBA'

const modes: readonly Mode[] = ['L', 'LA', 'RGB', 'RGBA']

/** The mode of an image with this many channels. */
export function modeOf(channels: Channels): Mode {
  return modes[channels - 1]
}

/**
 * Converts as Pillow's `convert`: colour becomes grayscale by ITU-R 601-2 in its integer form, alpha is dropped (not
 * blended), and missing alpha becomes 255.
 */
export function convertPixels({ width, height, channels, data }: Pixels, mode: Mode): Pixels {
  const target = (modes.indexOf(mode) + 1) as Channels
  const [isColor, toColor] = [channels > 2, target > 2]
  const [hasAlpha, toAlpha] = [channels % 2 === 0, target % 2 === 0]
  const out = new Uint8ClampedArray(width * height * target)
  for (let from = 0, to = 0; from < data.length; from += channels, to += target) {
    if (isColor && !toColor) {
      out[to] = (data[from] * 19595 + data[from + 1] * 38470 + data[from + 2] * 7471 + 0x8000) >> 16
    } else {
      for (let c = 0; c < (toColor ? 3 : 1); c++) out[to + c] = data[isColor ? from + c : from]
    }
    if (toAlpha) out[to + target - 1] = hasAlpha ? data[from + channels - 1] : 255
  }
  return { width, height, channels: target, data: out }
}
