import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import sharp from 'sharp'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { FormatError, InvalidArgumentError, NotFoundError, RuntimeError } from '../../src/core/errors'
import { encodePng } from '../../src/formats/png'
import { RawImage } from '../../src/image/raw-image'
import { createNodeImages } from '../../src/platform/node/images'
import { env } from '../../src/runtime/env'

/** Smooth, so that JPEG keeps it: red grows to the right, green downwards. */
const gradient = new RawImage(
  Uint8ClampedArray.from(
    { length: 48 * 32 * 3 },
    (_, i) => [Math.floor(i / 3) % 48, Math.floor(i / 144), 20][i % 3] * 5,
  ),
  48,
  32,
  3,
  { parameters: 'a gradient' },
)
const png = encodePng(gradient)
const largestDifference = (a: RawImage, b: RawImage) =>
  a.data.reduce((max, v, i) => Math.max(max, Math.abs(v - b.data[i])), 0)

let folder: string
let server: Server
let origin: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'latentkit-images-'))
  server = createServer((request, response) => {
    if (request.url === '/slow') return
    if (request.url === '/cut') {
      response.writeHead(200, { 'content-length': 1000 }).write(png.subarray(0, 10))
      return void setTimeout(() => response.destroy(), 20)
    }
    const status = { '/a.png': 200, '/missing': 404 }[request.url ?? ''] ?? 500
    response.writeHead(status).end(status === 200 ? png : '')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  origin = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`
})
afterAll(async () => {
  server.closeAllConnections()
  server.close()
  await rm(folder, { recursive: true })
})
beforeEach(() => {
  env.images = createNodeImages()
})
afterEach(() => {
  env.images = undefined
})

describe('files', () => {
  test('a PNG keeps pixels and text, by path, file: URL and data: URL', async () => {
    const path = join(folder, 'gra dient.png')
    await gradient.save(path)
    const data = `data:image/png;base64,${(await readFile(path)).toString('base64')}`
    for (const source of [path, pathToFileURL(path), pathToFileURL(path).href, data]) {
      expect(await RawImage.read(source)).toEqual(gradient)
    }
  })

  test('JPEG and WebP come back nearly the same, better with more quality', async () => {
    for (const [name, limit] of [
      ['a.jpg', 6],
      ['a.jpeg', 6],
      ['a.webp', 12],
    ] as const) {
      const path = join(folder, name)
      await gradient.save(path, { quality: 95 })
      const image = await RawImage.read(path)
      expect(image).toMatchObject({ width: 48, height: 32, channels: 3, text: {} })
      // Lossy: a few steps of 255, which a mix-up of channels, rows or ranges would exceed by far.
      expect(largestDifference(image, gradient)).toBeLessThanOrEqual(limit)
      const small = await gradient.toBlob(name.endsWith('p') ? 'image/webp' : 'image/jpeg', { quality: 5 })
      expect(small.size).toBeLessThan((await readFile(path)).length)
      expect(await RawImage.read(small)).toMatchObject({ width: 48, height: 32 })
    }
  })

  test('every mode can be written in every format', async () => {
    for (const mode of ['L', 'LA', 'RGB', 'RGBA'] as const) {
      for (const name of ['m.png', 'm.jpg', 'm.webp']) {
        const path = join(folder, `${mode}${name}`)
        await gradient.convert(mode).save(path)
        const image = await RawImage.read(path)
        expect(largestDifference(image.convert('L'), gradient.convert('L'))).toBeLessThanOrEqual(12)
        // The codecs give grayscale back as RGB; JPEG has no alpha, and WebP drops one that is 255 everywhere.
        const expected = name === 'm.png' ? mode : 'RGB'
        expect(image.mode).toBe(expected)
      }
    }
  })

  test('an opaque picture with alpha keeps its colours, a transparent one its alpha, as WebP', async () => {
    const half = gradient.convert('RGBA')
    half.data.forEach((_, i) => {
      if (i % 4 === 3) half.data[i] = 128
    })
    const image = await RawImage.read(await half.toBlob('image/webp', { quality: 95 }))
    expect(image.mode).toBe('RGBA')
    expect(image.data[3]).toBe(128)
  })

  test('a JPEG is turned as its EXIF orientation says', async () => {
    const turned = await sharp(gradient.data, { raw: gradient })
      .withMetadata({ orientation: 6 })
      .jpeg({ quality: 95 })
      .toBuffer()
    const image = await RawImage.read(turned)
    expect([image.width, image.height]).toEqual([32, 48])
    // Orientation 6: the file's rows are to be seen as columns from the right, so its bottom left comes to the top left.
    const [top, source] = [[...image.data.subarray(0, 3)], [...gradient.data.subarray(31 * 144, 31 * 144 + 3)]]
    top.forEach((value, c) => {
      expect(Math.abs(value - source[c])).toBeLessThanOrEqual(8)
    })
  })

  test('missing, unreadable and broken files', async () => {
    await expect(RawImage.read(join(folder, 'none.png'))).rejects.toThrow(NotFoundError)
    await expect(RawImage.read(join(folder, 'none.png'))).rejects.toThrow(/none\.png cannot be read: ENOENT/)
    await expect(RawImage.read(folder)).rejects.toThrow(NotFoundError)
    await expect(RawImage.read('')).rejects.toThrow(NotFoundError)
    await writeFile(join(folder, 'text.png'), 'no image')
    await expect(RawImage.read(join(folder, 'text.png'))).rejects.toThrow(FormatError)
    const jpeg = Buffer.from(await (await gradient.toBlob('image/jpeg')).arrayBuffer())
    const webp = Buffer.from(await (await gradient.toBlob('image/webp')).arrayBuffer())
    for (const bytes of [jpeg.subarray(0, 400), jpeg.subarray(0, 20), webp.subarray(0, 60), webp.subarray(0, 16)]) {
      await expect(RawImage.read(bytes)).rejects.toThrow(FormatError)
    }
  })

  test('files that cannot be written', async () => {
    await expect(gradient.save(join(folder, 'no', 'folder.png'))).rejects.toThrow(/folder\.png cannot be written/)
    await expect(gradient.save(join(folder, 'a.bmp'))).rejects.toThrow(InvalidArgumentError)
    const wide = new RawImage(new Uint8Array(20_000), 20_000, 1, 1)
    await expect(wide.save(join(folder, 'wide.webp'))).rejects.toThrow('20000x1 pixels cannot be written as image/webp')
  })
})

describe('downloads', () => {
  test('reads from http', async () => {
    expect((await RawImage.read(`${origin}/a.png`)).data).toEqual(gradient.data)
    expect((await RawImage.read(new URL(`${origin}/a.png`))).data).toEqual(gradient.data)
  })

  test('says what the server answered', async () => {
    await expect(RawImage.read(`${origin}/missing`)).rejects.toThrow(NotFoundError)
    await expect(RawImage.read(`${origin}/missing`)).rejects.toThrow('the server answered 404')
    await expect(RawImage.read(`${origin}/broken`)).rejects.toThrow('the server answered 500')
    await expect(RawImage.read(`${origin}/cut`)).rejects.toThrow(RuntimeError)
    await expect(RawImage.read('http://127.0.0.1:1/a.png')).rejects.toThrow(RuntimeError)
    await expect(RawImage.read('data:image/png;base64,@')).rejects.toThrow(RuntimeError)
  })

  test('a signal ends a download with its reason', async () => {
    const controller = new AbortController()
    const reading = RawImage.read(`${origin}/slow`, { signal: controller.signal })
    controller.abort(new Error('enough'))
    await expect(reading).rejects.toThrow('enough')
    await expect(RawImage.read(join(folder, 'none'), { signal: controller.signal })).rejects.toThrow('enough')
  })
})

test('without sharp, PNG works and the rest says how to install it', async () => {
  const missing = new Error("Cannot find package 'sharp'")
  env.images = createNodeImages(() => Promise.reject(missing))
  const path = join(folder, 'plain.png')
  await gradient.save(path)
  expect(await RawImage.read(path)).toEqual(gradient)
  const error = await gradient.toBlob('image/jpeg').catch((error: unknown) => error)
  expect(error).toBeInstanceOf(RuntimeError)
  expect(error).toMatchObject({ cause: missing, message: expect.stringContaining('npm install sharp') })
  await expect(RawImage.read(Uint8Array.of(0xff, 0xd8, 0xff))).rejects.toThrow('npm install sharp')
})
