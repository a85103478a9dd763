import { FormatError, InvalidArgumentError, RuntimeError } from '../core/errors'
import type { Pixels } from '../core/pixels'
import { decodePng, encodePng } from '../formats/png'
import { isPng } from '../formats/png-chunks'
import { insertPngText } from '../formats/png-text'
import { env } from '../runtime/env'
import type { ImagePlatform, ImageType } from '../runtime/image-platform'
import { convertPixels } from './modes'

const PART = 'RawImage'

const extensions: Readonly<Record<string, ImageType>> = {
  png: 'image/png',
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
  webp: 'image/webp',
}
const types: readonly ImageType[] = ['image/png', 'image/jpeg', 'image/webp']

/** An image's pixels with the text of its file. */
export interface TextPixels extends Pixels {
  readonly text: Readonly<Record<string, string>>
}

/** The platform's part of the image functions; `need` names what it is wanted for. */
export function imagePlatform(need: string): ImagePlatform {
  if (!env.images) {
    throw new RuntimeError(
      PART,
      `${need} needs a platform: env.images is not set, expected latentkit's Node or browser entry to be imported`,
    )
  }
  return env.images
}

/** The type that a file name asks for by its extension. */
export function typeOfPath(path: string): ImageType {
  const extension = /\.([^./\\]*)$/.exec(path)?.[1].toLowerCase() ?? ''
  if (!Object.hasOwn(extensions, extension)) {
    throw new InvalidArgumentError(
      PART,
      `cannot save to ${path}: expected a name that ends in .png, .jpg, .jpeg or .webp`,
    )
  }
  return extensions[extension]
}

/** Decodes a PNG, JPEG or WebP file, told apart by its first bytes. */
export async function decodeImage(bytes: Uint8Array): Promise<TextPixels> {
  if (isPng(bytes)) return decodePng(bytes)
  const start = String.fromCharCode(...bytes.subarray(0, 12))
  if (start.startsWith('\xff\xd8\xff')) {
    return { ...(await imagePlatform('reading JPEG').decode(bytes, 'image/jpeg')), text: {} }
  }
  if (start.startsWith('RIFF') && start.endsWith('WEBP')) {
    return { ...(await imagePlatform('reading WebP').decode(bytes, 'image/webp')), text: {} }
  }
  throw new FormatError(
    PART,
    `not an image: got ${bytes.length} bytes of an unknown format, expected PNG, JPEG or WebP`,
  )
}

/** Encodes as a file of this type. The text goes into PNG only; JPEG holds no alpha, which is dropped. */
export async function encodeImage(image: TextPixels, type: ImageType, quality = 90): Promise<Uint8Array> {
  if (!types.includes(type)) {
    throw new InvalidArgumentError(PART, `unknown image type: got ${String(type)}, expected ${types.join(', ')}`)
  }
  if (!(quality >= 1 && quality <= 100)) {
    throw new InvalidArgumentError(PART, `quality is out of range: got ${quality}, expected 1 to 100`)
  }
  if (type === 'image/png') {
    const file = encodePng(image)
    return Object.keys(image.text).length > 0 ? insertPngText(file, image.text) : file
  }
  const { channels } = image
  const opaque = type === 'image/jpeg' && channels % 2 === 0
  const pixels = opaque ? convertPixels(image, channels === 2 ? 'L' : 'RGB') : image
  return imagePlatform(`writing ${type}`).encode(pixels, type, quality)
}
