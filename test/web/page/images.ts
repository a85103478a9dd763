import { type ImageType, RawImage } from '../../../src/web'

/** An image as it travels from the page to the test. */
export interface Picture {
  readonly width: number
  readonly height: number
  readonly channels: number
  readonly data: readonly number[]
}

/** Reads an image file, from its bytes or from an address, as the page does. */
export async function decode(source: readonly number[] | string): Promise<Picture> {
  const image = await RawImage.read(typeof source === 'string' ? source : Uint8Array.from(source))
  return { width: image.width, height: image.height, channels: image.channels, data: Array.from(image.data) }
}

/** Writes an image file in the page. */
export async function encode({ width, height, channels, data }: Picture, type: ImageType): Promise<number[]> {
  const image = new RawImage(Uint8ClampedArray.from(data), width, height, channels as 1 | 2 | 3 | 4)
  const { width: shown, data: rgba } = image.toImageData()
  if (!(image.toImageData() instanceof ImageData) || rgba.length !== shown * height * 4) throw new Error('no ImageData')
  return Array.from(new Uint8Array(await (await image.toBlob(type)).arrayBuffer()))
}
