/** The number of values a pixel has: 1 grayscale, 2 grayscale and alpha, 3 RGB, 4 RGBA. */
export type Channels = 1 | 2 | 3 | 4

/** An image as 8-bit values, row by row, the values of a pixel side by side. */
export interface Pixels {
  readonly width: number
  readonly height: number
  readonly channels: Channels
  /** `height · width · channels` values. */
  readonly data: Uint8ClampedArray<ArrayBuffer>
}

/** The most pixels an image may have: where Pillow stops, believing a file a decompression bomb (512 MiB of RGB). */
export const MAX_PIXELS = 178_956_970
