import type { Pixels } from '../core/pixels'

/** The file formats that are written, by media type. All of them can be read. */
export type ImageType = 'image/png' | 'image/jpeg' | 'image/webp'

/** The formats that a platform decodes and encodes; PNG needs none. */
export type CodecType = Exclude<ImageType, 'image/png'>

/** The fields of the Web's `ImageData`: RGBA, 8 bits a channel. */
export interface ImageDataLike {
  readonly width: number
  readonly height: number
  readonly data: Uint8ClampedArray<ArrayBuffer>
  readonly colorSpace: 'srgb'
}

/** What images need from the platform: files, the network and the codecs that are not part of latentkit. */
export interface ImagePlatform {
  /**
   * The bytes behind a path or a URL (`file:`, `http:`, `https:`, `data:`, `blob:`).
   *
   * @throws NotFoundError when there is nothing; the signal's reason when `signal` aborts.
   */
  readBytes(source: string | URL, signal?: AbortSignal): Promise<Uint8Array>
  /** Writes a file. Absent where there are no files to write. */
  writeBytes?(path: string, bytes: Uint8Array): Promise<void>
  /**
   * Decodes a file of this type to grayscale or RGB, with or without alpha, turned as its EXIF orientation says.
   *
   * @throws FormatError when the file is damaged.
   */
  decode(bytes: Uint8Array, type: CodecType): Promise<Pixels>
  /** Encodes an image; `quality` is 1 to 100. JPEG is asked for without alpha only. */
  encode(pixels: Pixels, type: CodecType, quality: number): Promise<Uint8Array>
  /** Makes the platform's own `ImageData`, where there is one. */
  imageData?(data: Uint8ClampedArray<ArrayBuffer>, width: number, height: number): ImageDataLike
}
