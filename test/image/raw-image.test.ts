import { Tensor } from 'onnxruntime-common'
import { afterEach, describe, expect, test } from 'vitest'
import { FormatError, InvalidArgumentError, RuntimeError } from '../../src/core/errors'
import { decodePng, encodePng } from '../../src/formats/png'
import { insertPngText } from '../../src/formats/png-text'
import { type ImageSource, RawImage } from '../../src/image/raw-image'
import { env } from '../../src/runtime/env'

const red = () => new RawImage(Uint8ClampedArray.of(255, 0, 0, 0, 0, 0), 2, 1, 3)
const png = encodePng(red())

afterEach(() => {
  env.images = undefined
})

describe('RawImage', () => {
  test('is made of pixels, without a copy', () => {
    const data = new Uint8Array(new ArrayBuffer(10), 4, 6)
    const image = new RawImage(data, 2, 1, 3)
    data[1] = 9
    expect(image.data[1]).toBe(9)
    expect(image).toMatchObject({ width: 2, height: 1, channels: 3, mode: 'RGB', text: {} })
  })

  test.each([
    [5, 2, 1, 3, 'data has the wrong length: got 5, expected 6 (2x1x3)'],
    [0, 0, 1, 3, 'got 0x1'],
    [6, 1.5, 1, 4, 'got 1.5x1'],
    [6, Number.NaN, 1, 3, 'got NaNx1'],
    [5, 1, 1, 5, 'got 5, expected 1, 2, 3 or 4'],
  ])('refuses %d values for %dx%dx%d', (length, width, height, channels, message) => {
    expect(() => new RawImage(new Uint8Array(length), width, height, channels as 3)).toThrow(InvalidArgumentError)
    expect(() => new RawImage(new Uint8Array(length), width, height, channels as 3)).toThrow(message)
  })

  test('resizes and converts, and keeps its text', () => {
    const image = red().withText({ parameters: 'p' })
    expect(image.resize(4, 3)).toMatchObject({ width: 4, height: 3, channels: 3, text: { parameters: 'p' } })
    expect(image.resize(4, 1, { resample: 'nearest' }).convert('L')).toMatchObject({
      channels: 1,
      data: Uint8ClampedArray.of(76, 76, 0, 0),
      text: { parameters: 'p' },
    })
    expect(image.convert('RGB')).toBe(image)
    expect(() => image.resize(0, 3)).toThrow('got 0x3')
    expect(() => image.resize(100_000, 100_000)).toThrow(InvalidArgumentError)
    expect(() => image.resize(3, 3, { resample: 'hamming' as 'nearest' })).toThrow('got hamming, expected lanczos')
  })

  test('becomes a tensor in [0, 1], channel by channel', () => {
    const tensor = red().toTensor()
    expect(tensor.dims).toEqual([1, 3, 1, 2])
    expect([...(tensor.data as Float32Array)]).toEqual([1, 0, 0, 0, 0, 0])
  })
})

describe('RawImage.fromTensor', () => {
  test('is the way back, for every value', () => {
    const data = Uint8ClampedArray.from({ length: 256 * 4 }, (_, i) => i >> 2)
    const image = new RawImage(data, 16, 16, 4)
    expect(RawImage.fromTensor(image.toTensor())).toEqual([image])
  })

  test('rounds half to even after a float32 product, clamps, and splits the batch', () => {
    // 0.5/255 and 1.5/255 in float32 times 255 are 0.5 and 1.5 in float32: halves, which go to 0 and 2.
    const values = Float32Array.of(0.5 / 255, 1.5 / 255, 2.5 / 255, -3, 7, 0.999)
    const images = RawImage.fromTensor(new Tensor('float32', values, [2, 1, 1, 3]))
    expect(images.map(({ data }) => [...data])).toEqual([
      [0, 2, 2],
      [0, 255, 255],
    ])
    expect(images[0].mode).toBe('L')
  })

  test('refuses other shapes, other types and NaN', () => {
    expect(() => RawImage.fromTensor(new Tensor('float32', new Float32Array(12), [3, 2, 2]))).toThrow('got [3, 2, 2]')
    expect(() => RawImage.fromTensor(new Tensor('float32', new Float32Array(5), [1, 5, 1, 1]))).toThrow('[1, 5, 1, 1]')
    expect(() => RawImage.fromTensor(new Tensor('uint8', new Uint8Array(1), [1, 1, 1, 1]))).toThrow('expected float32')
    expect(() => RawImage.fromTensor(new Tensor('float32', [0, Number.NaN], [2, 1, 1, 1]))).toThrow('image 1')
  })
})

describe('RawImage.read', () => {
  test('reads PNG from bytes, a buffer or a Blob without any platform', async () => {
    const bytes = new Uint8Array(png)
    const sources = [bytes, bytes.buffer, new Blob([bytes])]
    for (const source of sources) expect(await RawImage.read(source)).toEqual(red())
    const image = red()
    expect(await RawImage.read(image)).toBe(image)
  })

  test('keeps the text of a PNG', async () => {
    const image = await RawImage.read(insertPngText(png, { parameters: '赤' }))
    expect(image.text).toEqual({ parameters: '赤' })
    expect((await RawImage.read(await image.toBlob())).text).toEqual({ parameters: '赤' })
  })

  test.each([[undefined], [null], [7], [{ width: 1 }], [[png]]])('refuses %o', async (source) => {
    await expect(RawImage.read(source as ImageSource)).rejects.toThrow(InvalidArgumentError)
    await expect(RawImage.read(source as ImageSource)).rejects.toThrow('not an image')
  })

  test('refuses bytes that are no image', async () => {
    await expect(RawImage.read(new Uint8Array(0))).rejects.toThrow(FormatError)
    await expect(RawImage.read(new TextEncoder().encode('<svg></svg> and so on'))).rejects.toThrow('unknown format')
  })

  test('says that paths, JPEG and WebP need a platform', async () => {
    const jpeg = Uint8Array.of(0xff, 0xd8, 0xff, 0xe0)
    const webp = new TextEncoder().encode('RIFF1234WEBPVP8 ')
    for (const source of ['a.png', new URL('https://example.org/a.png'), jpeg, webp]) {
      await expect(RawImage.read(source)).rejects.toThrow(RuntimeError)
      await expect(RawImage.read(source)).rejects.toThrow('env.images is not set')
    }
  })
})

describe('with a platform', () => {
  test('the platform decodes and encodes what is not PNG; JPEG is given no alpha', async () => {
    const asked: unknown[] = []
    env.images = {
      readBytes: async () => Uint8Array.of(0xff, 0xd8, 0xff),
      decode: async (_, type) => ({ ...red(), data: red().data.fill(type === 'image/jpeg' ? 1 : 2) }),
      encode: async (pixels, type, quality) => {
        asked.push([type, pixels.channels, quality])
        return Uint8Array.of(1, 2, 3)
      },
    }
    expect((await RawImage.read('a.jpg')).data[0]).toBe(1)
    const blob = await red().convert('RGBA').toBlob('image/jpeg', { quality: 50 })
    expect([blob.type, blob.size]).toEqual(['image/jpeg', 3])
    await red().convert('LA').toBlob('image/jpeg')
    await red().convert('RGBA').toBlob('image/webp')
    expect(asked).toEqual([
      ['image/jpeg', 3, 50],
      ['image/jpeg', 1, 90],
      ['image/webp', 4, 90],
    ])
    await expect(red().save('a.png')).rejects.toThrow('expected Node or Deno')
  })

  test('toImageData is RGBA, and the platform makes its own', () => {
    const fields = { width: 2, height: 1, data: Uint8ClampedArray.of(255, 0, 0, 255, 0, 0, 0, 255), colorSpace: 'srgb' }
    const none = { readBytes: async () => png, decode: async () => red(), encode: async () => png }
    expect(red().toImageData()).toEqual(fields)
    env.images = none
    expect(red().toImageData()).toEqual(fields)
    const made = { width: 2, height: 1, data: new Uint8ClampedArray(8), colorSpace: 'srgb' as const }
    env.images = { ...none, imageData: () => made }
    expect(red().toImageData()).toBe(made)
  })

  test('save chooses by the extension', async () => {
    const written: [string, Uint8Array][] = []
    env.images = {
      readBytes: async () => png,
      decode: async () => red(),
      encode: async (_, type) => new TextEncoder().encode(type),
      writeBytes: async (path, bytes) => void written.push([path, bytes]),
    }
    await red().withText({ a: 'b' }).save('x.y/A.PNG')
    for (const path of ['b.jpg', 'b.JPEG', 'b.webp']) await red().save(path)
    expect(decodePng(written[0][1]).text).toEqual({ a: 'b' })
    expect(written.slice(1).map(([, bytes]) => new TextDecoder().decode(bytes))).toEqual([
      'image/jpeg',
      'image/jpeg',
      'image/webp',
    ])
    for (const path of ['a', 'a.gif', 'a.png/b', 'a.constructor', '']) {
      await expect(red().save(path)).rejects.toThrow('expected a name that ends in .png, .jpg, .jpeg or .webp')
    }
  })

  test('refuses unknown types and qualities', async () => {
    await expect(red().toBlob('image/gif' as 'image/png')).rejects.toThrow('got image/gif, expected image/png')
    for (const quality of [0, 101, Number.NaN]) {
      await expect(red().toBlob('image/png', { quality })).rejects.toThrow(`got ${quality}, expected 1 to 100`)
    }
  })
})
