import { readFile, writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { FormatError, InvalidArgumentError, NotFoundError, RuntimeError } from '../../core/errors'
import { type Channels, MAX_PIXELS } from '../../core/pixels'
import type { CodecType, ImagePlatform } from '../../runtime/image-platform'

const PART = 'images'

type Sharp = typeof import('sharp')['default']

/**
 * Files, downloads and the JPEG and WebP codecs in Node and Deno. The codecs are those of the optional package `sharp`,
 * which is imported when the first JPEG or WebP comes.
 *
 * @param loadSharp - How `sharp` is imported.
 */
export function createNodeImages(loadSharp: () => Promise<Sharp> = importSharp): ImagePlatform {
  return {
    async readBytes(source, signal) {
      const url = asUrl(source)
      signal?.throwIfAborted()
      if (url && url.protocol !== 'file:') return download(url, signal)
      const path = url ? fileURLToPath(url) : String(source)
      try {
        return await readFile(path, { signal })
      } catch (cause) {
        signal?.throwIfAborted()
        throw new NotFoundError(PART, `${resolve(path)} cannot be read: ${messageOf(cause)}`, { cause })
      }
    },

    async writeBytes(path, bytes) {
      try {
        await writeFile(path, bytes)
      } catch (cause) {
        throw new NotFoundError(PART, `${resolve(path)} cannot be written: ${messageOf(cause)}`, { cause })
      }
    },

    async decode(bytes, type) {
      const sharp = await loaded(loadSharp, `reading ${type}`)
      try {
        // As PIL reads and diffusers' load_image turns it: no colour profile is applied, the orientation is.
        const options = {
          autoOrient: true,
          ignoreIcc: true,
          failOn: 'truncated',
          limitInputPixels: MAX_PIXELS,
        } as const
        const { data, info } = await sharp(bytes, options).raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true })
        const { width, height } = info
        return { width, height, channels: info.channels as Channels, data: new Uint8ClampedArray(data) }
      } catch (cause) {
        throw new FormatError(PART, `the file is not a whole ${type}: ${messageOf(cause)}`, { cause })
      }
    },

    async encode({ data, width, height, channels }, type: CodecType, quality) {
      const sharp = await loaded(loadSharp, `writing ${type}`)
      try {
        const image = sharp(data, { raw: { width, height, channels } })
        return await (type === 'image/jpeg' ? image.jpeg({ quality }) : image.webp({ quality })).toBuffer()
      } catch (cause) {
        throw new InvalidArgumentError(
          PART,
          `${width}x${height} pixels cannot be written as ${type}: ${messageOf(cause)}`,
          {
            cause,
          },
        )
      }
    },
  }
}

async function importSharp(): Promise<Sharp> {
  return (await import('sharp')).default
}

async function loaded(loadSharp: () => Promise<Sharp>, need: string): Promise<Sharp> {
  try {
    return await loadSharp()
  } catch (cause) {
    throw new RuntimeError(PART, `${need} needs the package sharp, which cannot be loaded: run \`npm install sharp\``, {
      cause,
    })
  }
}

/** The URL that a source is; a path is none, and neither is `C:\…`. */
function asUrl(source: string | URL): URL | undefined {
  if (source instanceof URL) return source
  return /^(file|https?|data|blob):/i.test(source) ? new URL(source) : undefined
}

async function download(url: URL, signal?: AbortSignal): Promise<Uint8Array> {
  const name = url.protocol === 'data:' ? 'the data URL' : url.href
  try {
    const response = await fetch(url, { signal })
    if (response.ok) return new Uint8Array(await response.arrayBuffer())
    const message = `${name} cannot be read: the server answered ${response.status} ${response.statusText}`.trimEnd()
    throw response.status === 404 || response.status === 410
      ? new NotFoundError(PART, message)
      : new RuntimeError(PART, message)
  } catch (cause) {
    signal?.throwIfAborted()
    if (cause instanceof NotFoundError || cause instanceof RuntimeError) throw cause
    throw new RuntimeError(PART, `${name} cannot be read: ${messageOf(cause)}`, { cause })
  }
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}
