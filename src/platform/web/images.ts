import { FormatError, NotFoundError, RuntimeError, UnsupportedError } from '../../core/errors'
import { MAX_PIXELS, type Pixels } from '../../core/pixels'
import { convertPixels } from '../../image/modes'
import type { ImagePlatform } from '../../runtime/image-platform'
import { pageUrl } from './page'

const PART = 'images'

/** Downloads and the browser's own JPEG and WebP codecs, in a page or a worker. */
export function createWebImages(): ImagePlatform {
  return {
    async readBytes(source, signal) {
      const url = pageUrl(source)
      const name = url.protocol === 'data:' ? 'the data URL' : url.href
      let response: Response
      try {
        response = await fetch(url, { signal })
        if (response.ok) return new Uint8Array(await response.arrayBuffer())
      } catch (cause) {
        signal?.throwIfAborted()
        throw new RuntimeError(PART, `${name} cannot be read: ${messageOf(cause)}`, { cause })
      }
      const message = `${name} cannot be read: the server answered ${response.status} ${response.statusText}`.trimEnd()
      throw response.status === 404 || response.status === 410
        ? new NotFoundError(PART, message)
        : new RuntimeError(PART, message)
    },

    async decode(bytes, type) {
      let bitmap: ImageBitmap
      try {
        // As PIL reads and diffusers' load_image turns it: no colour profile is applied, the orientation is.
        bitmap = await createImageBitmap(new Blob([new Uint8Array(bytes)], { type }), {
          colorSpaceConversion: 'none',
          premultiplyAlpha: 'none',
          imageOrientation: 'from-image',
        })
      } catch (cause) {
        throw new FormatError(PART, `the file is not a whole ${type}: ${messageOf(cause)}`, { cause })
      }
      try {
        return pixelsOf(bitmap, type)
      } finally {
        bitmap.close()
      }
    },

    async encode(pixels, type, quality) {
      const { width, height } = pixels
      const { canvas, context } = canvasOf(width, height)
      context.putImageData(new ImageData(convertPixels(pixels, 'RGBA').data, width, height), 0, 0)
      const blob = await canvas.convertToBlob({ type, quality: quality / 100 })
      // A type that the browser does not write becomes PNG.
      if (blob.type !== type) throw new UnsupportedError(PART, `this browser writes no ${type}: expected image/png`)
      return new Uint8Array(await blob.arrayBuffer())
    },

    imageData: (data, width, height) => new ImageData(data, width, height) as ImageData & { colorSpace: 'srgb' },
  }
}

function pixelsOf(bitmap: ImageBitmap, type: string): Pixels {
  const { width, height } = bitmap
  if (width * height > MAX_PIXELS) {
    throw new FormatError(
      PART,
      `the ${type} is too large: got ${width}x${height}, expected at most ${MAX_PIXELS} pixels`,
    )
  }
  const { context } = canvasOf(width, height)
  context.drawImage(bitmap, 0, 0)
  const { data } = context.getImageData(0, 0, width, height)
  const rgba: Pixels = { width, height, channels: 4, data }
  for (let i = 3; i < data.length; i += 4) {
    if (data[i] < 255) return { ...rgba, data: unmultiplied(bitmap) ?? data }
  }
  return convertPixels(rgba, 'RGB')
}

/** A canvas multiplies colours with alpha and loses digits; WebGL reads the bitmap as it is, where there is WebGL. */
function unmultiplied(bitmap: ImageBitmap): Uint8ClampedArray<ArrayBuffer> | undefined {
  const { width, height } = bitmap
  const gl = new OffscreenCanvas(1, 1).getContext('webgl2')
  if (!gl || Math.max(width, height) > gl.getParameter(gl.MAX_TEXTURE_SIZE)) return undefined
  const texture = gl.createTexture()
  gl.bindTexture(gl.TEXTURE_2D, texture)
  gl.pixelStorei(gl.UNPACK_COLORSPACE_CONVERSION_WEBGL, gl.NONE)
  gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, bitmap)
  gl.bindFramebuffer(gl.FRAMEBUFFER, gl.createFramebuffer())
  gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, texture, 0)
  const data = new Uint8ClampedArray(width * height * 4)
  gl.readPixels(0, 0, width, height, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(data.buffer))
  const isRead = gl.getError() === gl.NO_ERROR
  // Contexts are few, and are not collected soon.
  gl.getExtension('WEBGL_lose_context')?.loseContext()
  return isRead ? data : undefined
}

function canvasOf(width: number, height: number) {
  const canvas = new OffscreenCanvas(width, height)
  const context = canvas.getContext('2d', { willReadFrequently: true })
  if (!context) throw new RuntimeError(PART, `the browser gave no canvas of ${width}x${height}`)
  return { canvas, context }
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}
