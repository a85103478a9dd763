import type { Tensor } from 'onnxruntime-common'
import { InvalidArgumentError } from '../core/errors'
import { type Channels, MAX_PIXELS, type Pixels } from '../core/pixels'
import { float32Data, float32Tensor } from '../core/tensor'
import { env } from '../runtime/env'
import type { ImageDataLike, ImageType } from '../runtime/image-platform'
import { decodeImage, encodeImage, imagePlatform, typeOfPath } from './image-file'
import { convertPixels, type Mode, modeOf } from './modes'
import { type Resample, resampleNames, resamplePixels } from './resample'

const PART = 'RawImage'

/** Where an image can be read from: a path or URL, a file's bytes, or an image that is there already. */
export type ImageSource = string | URL | Blob | ArrayBuffer | Uint8Array | RawImage

/**
 * An image in memory: 8 bits a channel, row by row, the channels of a pixel side by side. It does what `PIL.Image` does
 * in diffusers, to the same bit.
 */
export class RawImage implements Pixels {
  /** `height · width · channels` values, 0 to 255. */
  readonly data: Uint8ClampedArray<ArrayBuffer>
  /** Pixels. */
  readonly width: number
  /** Pixels. */
  readonly height: number
  /** 1 grayscale, 2 grayscale and alpha, 3 RGB, 4 RGBA. */
  readonly channels: Channels
  /** Text that a PNG file carries, by keyword; `parameters` holds how the picture was made. */
  readonly text: Readonly<Record<string, string>>

  /**
   * @param data - `height · width · channels` values; kept, not copied.
   * @param width - Pixels, at least 1.
   * @param height - Pixels, at least 1.
   * @param channels - 1 grayscale, 2 grayscale and alpha, 3 RGB, 4 RGBA.
   * @param text - Text for a PNG file, by keyword.
   * @throws InvalidArgumentError when the data's length is not that of the size.
   */
  constructor(
    data: Uint8ClampedArray<ArrayBuffer> | Uint8Array<ArrayBuffer>,
    width: number,
    height: number,
    channels: Channels,
    text: Readonly<Record<string, string>> = {},
  ) {
    checkSize(width, height)
    if (![1, 2, 3, 4].includes(channels)) {
      throw new InvalidArgumentError(PART, `channels are wrong: got ${channels}, expected 1, 2, 3 or 4`)
    }
    if (data.length !== width * height * channels) {
      throw new InvalidArgumentError(
        PART,
        `data has the wrong length: got ${data.length}, expected ${width * height * channels} (${width}x${height}x${channels})`,
      )
    }
    this.data =
      data instanceof Uint8ClampedArray ? data : new Uint8ClampedArray(data.buffer, data.byteOffset, data.byteLength)
    this.width = width
    this.height = height
    this.channels = channels
    this.text = text
  }

  /** What the channels mean, in Pillow's words: `L`, `LA`, `RGB` or `RGBA`. */
  get mode(): Mode {
    return modeOf(this.channels)
  }

  /**
   * Reads a PNG, JPEG or WebP image. PNG is decoded by latentkit itself, the others by the platform (in Node by the
   * package `sharp`); JPEG and WebP are turned as their EXIF orientation says.
   *
   * @param source - A path or URL (`file:`, `http:`, `https:`, `data:`, `blob:`), a file's bytes, or a `RawImage`, which
   *   is given back.
   * @param options - `signal` ends a download.
   * @throws InvalidArgumentError when `source` is none of these.
   * @throws FormatError when the bytes are not such an image.
   * @throws NotFoundError when there is no such file.
   * @throws RuntimeError when what the format needs is not installed, or a download fails.
   */
  static async read(source: ImageSource, options: { readonly signal?: AbortSignal } = {}): Promise<RawImage> {
    if (source instanceof RawImage) return source
    const { data, width, height, channels, text } = await decodeImage(await bytesOf(source, options.signal))
    return new RawImage(data, width, height, channels, text)
  }

  /**
   * The images of a batch.
   *
   * @param tensor - float32 `[batch, channels, height, width]` in [0, 1], with 1 to 4 channels. Values beyond are
   *   clamped; halves are rounded to even, as NumPy does in `(x * 255).round()`.
   * @throws InvalidArgumentError for another shape or type, or when a value is NaN.
   */
  static fromTensor(tensor: Tensor): RawImage[] {
    const [batch, channels, height, width] = tensor.dims
    if (tensor.dims.length !== 4 || !isChannels(channels)) {
      throw new InvalidArgumentError(
        PART,
        `the tensor is not a batch of images: got [${tensor.dims.join(', ')}], expected [batch, 1 to 4, height, width]`,
      )
    }
    const values = float32Data(tensor, 'the batch of images')
    const area = width * height
    return Array.from({ length: batch }, (_, n) => {
      const data = new Uint8ClampedArray(area * channels)
      for (let c = 0; c < channels; c++) {
        const plane = values.subarray((n * channels + c) * area)
        for (let pixel = 0; pixel < area; pixel++) {
          // The product is rounded to float32 as NumPy's is; storing it rounds half to even and clamps.
          const value = Math.fround(plane[pixel] * 255)
          if (Number.isNaN(value)) throw new InvalidArgumentError(PART, `image ${n} of the tensor holds NaN`)
          data[pixel * channels + c] = value
        }
      }
      return new RawImage(data, width, height, channels)
    })
  }

  /**
   * The image in another size, equal to Pillow's `Image.resize` bit for bit.
   *
   * @param width - Pixels, at least 1.
   * @param height - Pixels, at least 1.
   * @param options - `resample` is `lanczos` unless given, as in diffusers.
   * @throws InvalidArgumentError for a size or a filter that is not possible.
   */
  resize(width: number, height: number, options: { readonly resample?: Resample } = {}): RawImage {
    checkSize(width, height)
    const { resample = 'lanczos' } = options
    if (!resampleNames.includes(resample)) {
      throw new InvalidArgumentError(
        PART,
        `unknown resample filter: got ${String(resample)}, expected ${resampleNames.join(', ')}`,
      )
    }
    return this.#with(resamplePixels(this, width, height, resample))
  }

  /**
   * The image in another mode, as Pillow's `Image.convert`: alpha is dropped, not blended; grayscale is the integer form
   * of ITU-R 601-2. An image that has the mode already is given back.
   */
  convert(mode: Mode): RawImage {
    return mode === this.mode ? this : this.#with(convertPixels(this, mode))
  }

  /** The same image with other text for a PNG file. */
  withText(text: Readonly<Record<string, string>>): RawImage {
    return new RawImage(this.data, this.width, this.height, this.channels, text)
  }

  /** The image as a float32 tensor `[1, channels, height, width]` in [0, 1]. */
  toTensor(): Tensor {
    const area = this.width * this.height
    const values = new Float32Array(area * this.channels)
    for (let c = 0; c < this.channels; c++) {
      for (let pixel = 0; pixel < area; pixel++) {
        values[c * area + pixel] = this.data[pixel * this.channels + c] / 255
      }
    }
    return float32Tensor([1, this.channels, this.height, this.width], values)
  }

  /**
   * The image as a file.
   *
   * @param type - The file's format; PNG carries {@link text}.
   * @param options - `quality` of JPEG and WebP, 1 to 100 (90 unless given).
   * @throws RuntimeError when what the format needs is not installed.
   */
  async toBlob(type: ImageType = 'image/png', options: { readonly quality?: number } = {}): Promise<Blob> {
    return new Blob([new Uint8Array(await encodeImage(this, type, options.quality))], { type })
  }

  /** The image as RGBA in the Web's `ImageData`; where the platform has none, an object with its fields. */
  toImageData(): ImageDataLike {
    const { width, height, data } = convertPixels(this, 'RGBA')
    return env.images?.imageData?.(data, width, height) ?? { width, height, data, colorSpace: 'srgb' }
  }

  /**
   * Writes the image to a file (in Node and Deno). The extension chooses the format: `.png`, `.jpg`, `.jpeg`, `.webp`;
   * PNG carries {@link text}.
   *
   * @param path - Where to; a file that is there is replaced.
   * @param options - `quality` of JPEG and WebP, 1 to 100 (90 unless given).
   * @throws InvalidArgumentError for another extension.
   * @throws RuntimeError when what the format needs is not installed, or the platform has no files.
   */
  async save(path: string, options: { readonly quality?: number } = {}): Promise<void> {
    const type = typeOfPath(path)
    const platform = imagePlatform('save')
    if (!platform.writeBytes) {
      throw new InvalidArgumentError(
        PART,
        'save needs a platform with files: expected Node or Deno; toBlob works anywhere',
      )
    }
    await platform.writeBytes(path, await encodeImage(this, type, options.quality))
  }

  #with({ data, width, height, channels }: Pixels): RawImage {
    return new RawImage(data, width, height, channels, this.text)
  }
}

async function bytesOf(source: Exclude<ImageSource, RawImage>, signal?: AbortSignal): Promise<Uint8Array> {
  if (typeof source === 'string' || source instanceof URL) {
    return imagePlatform('reading from a path or URL').readBytes(source, signal)
  }
  if (source instanceof Blob) return new Uint8Array(await source.arrayBuffer())
  if (source instanceof ArrayBuffer) return new Uint8Array(source)
  if (source instanceof Uint8Array) return source
  throw new InvalidArgumentError(
    PART,
    `not an image: got ${describe(source)}, expected a path, URL, Blob, ArrayBuffer, Uint8Array or RawImage`,
  )
}

function isChannels(count: number): count is Channels {
  return count === 1 || count === 2 || count === 3 || count === 4
}

function describe(value: unknown): string {
  if (value === null || typeof value !== 'object') return String(value)
  return value.constructor?.name ?? 'an object'
}

function checkSize(width: number, height: number): void {
  const isSide = (side: number) => Number.isInteger(side) && side >= 1
  if (!isSide(width) || !isSide(height) || width * height > MAX_PIXELS) {
    throw new InvalidArgumentError(
      PART,
      `the size is not possible: got ${width}x${height}, expected whole numbers from 1 and at most ${MAX_PIXELS} pixels`,
    )
  }
}
