import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openPage, type TestPage } from './browser'

const [width, height] = [48, 40]
const pixels = (channels: number) =>
  Uint8Array.from({ length: width * height * channels }, (_, i) => (i * i * 7 + (i % channels) * 90 + (i >> 4)) & 255)
const smooth = Uint8Array.from({ length: width * height * 3 }, (_, i) => {
  const [x, y] = [Math.floor(i / 3) % width, Math.floor(i / 3 / width)]
  return [x * 5, y * 6, (x + y) * 2][i % 3]
})
const raw = (data: Uint8Array, channels: 3 | 4) => sharp(data, { raw: { width, height, channels } })

/** What Node reads, as `RawImage.read` does there. */
async function inNode(file: Uint8Array) {
  const image = sharp(file, { autoOrient: true, ignoreIcc: true }).toColourspace('srgb')
  const { data, info } = await image.raw().toBuffer({ resolveWithObject: true })
  return { width: info.width, height: info.height, channels: info.channels, data: Array.from(data) }
}

let page: TestPage
beforeAll(async () => {
  page = await openPage()
})
afterAll(() => page?.close())

describe('the page reads the pixels that Node reads, to the bit:', () => {
  const files: Record<string, () => Promise<Uint8Array>> = {
    WebP: () => raw(smooth, 3).webp({ quality: 80 }).toBuffer(),
    'WebP with alpha, whose colours are not multiplied with it': () =>
      raw(pixels(4), 4).webp({ lossless: true, exact: true }).toBuffer(),
    'JPEG with subsampled colours': () => raw(smooth, 3).jpeg({ chromaSubsampling: '4:2:0' }).toBuffer(),
    'JPEG that is turned by its EXIF orientation': () =>
      raw(smooth, 3).withMetadata({ orientation: 6 }).jpeg().toBuffer(),
    'JPEG with a colour profile, which is not applied': () =>
      raw(smooth, 3).withIccProfile('p3').jpeg({ chromaSubsampling: '4:4:4' }).toBuffer(),
  }
  it.each(Object.entries(files))('%s', async (_, make) => {
    const file = await make()
    expect(await page.call('decode', Array.from(file))).toEqual(await inNode(file))
  })

  it('PNG from an address relative to the page', async () => {
    const { width, height, channels } = await page.call('decode', 'fixtures/goldens/pipelines/init.png')
    expect([width, height, channels]).toEqual([96, 80, 3])
  })
})

it('the page writes what Node reads', async () => {
  const picture = { width, height, channels: 3, data: Array.from(smooth) }
  expect(await inNode(Uint8Array.from(await page.call('encode', picture, 'image/png')))).toEqual(picture)
  for (const type of ['image/jpeg', 'image/webp'] as const) {
    const { data, ...shape } = await inNode(Uint8Array.from(await page.call('encode', picture, type)))
    expect(shape).toEqual({ width, height, channels: 3 })
    const mean = data.reduce((sum, value, i) => sum + Math.abs(value - smooth[i]), 0) / data.length
    // Quality 90 of lossy codecs: a few grey levels.
    expect(mean).toBeLessThan(6)
  }
})

it('damaged and missing files are errors that say so', async () => {
  const [jpeg] = [Array.from(await raw(smooth, 3).jpeg().toBuffer())]
  await expect(page.call('decode', jpeg.slice(0, 20))).rejects.toThrow(/\[images\] the file is not a whole image\/jpeg/)
  await expect(page.call('decode', [1, 2, 3])).rejects.toThrow(/not an image/)
  await expect(page.call('decode', './no-such.png')).rejects.toThrow(
    /no-such\.png cannot be read: the server answered 404/,
  )
})
