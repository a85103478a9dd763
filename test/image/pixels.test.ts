import { Tensor } from 'onnxruntime-common'
import { describe, expect, test } from 'vitest'
import { InvalidArgumentError } from '../../src/core/errors'
import { denormalize, postprocess, preprocess, preprocessMask, readImages } from '../../src/image/pixels'
import { RawImage } from '../../src/image/raw-image'

const vaeScaleFactor = 8
const filled = (width: number, height: number, ...pixel: number[]) =>
  new RawImage(
    Uint8ClampedArray.from({ length: width * height * pixel.length }, (_, i) => pixel[i % pixel.length]),
    width,
    height,
    pixel.length as 1 | 2 | 3 | 4,
  )
const values = (tensor: Tensor) => [...(tensor.data as Float32Array)]

describe('preprocess', () => {
  test('makes RGB in [-1, 1], rounded down to the VAE factor', () => {
    const tensor = preprocess([filled(19, 9, 255, 0, 51)], { vaeScaleFactor })
    expect(tensor.dims).toEqual([1, 3, 8, 16])
    // 51/255 in float32, doubled, less 1 in float32, as PyTorch computes it.
    const third = Math.fround(2 * Math.fround(0.2) - 1)
    expect(values(tensor)).toEqual([255, 0, 51].flatMap((v) => Array(128).fill(v === 51 ? third : v === 255 ? 1 : -1)))
  })

  test('is Lanczos on RGB: alpha goes before the resize and grayscale becomes colour', () => {
    const noise = new RawImage(
      Uint8ClampedArray.from({ length: 20 * 20 * 4 }, (_, i) => (i * i * 31) & 255),
      20,
      20,
      4,
    )
    const expected = noise.convert('RGB').resize(16, 8, { resample: 'lanczos' }).toTensor()
    const tensor = preprocess([noise], { vaeScaleFactor, width: 16, height: 8 })
    expect(values(tensor)).toEqual(values(expected).map((v) => Math.fround(2 * v - 1)))
    expect(preprocess([filled(8, 8, 9), filled(8, 8, 9, 0)], { vaeScaleFactor }).dims).toEqual([2, 3, 8, 8])
  })

  test('takes images of several sizes when the size is given', () => {
    const images = [filled(8, 8, 1, 2, 3), filled(16, 8, 1, 2, 3)]
    expect(preprocess(images, { vaeScaleFactor, width: 24, height: 17 }).dims).toEqual([2, 3, 16, 24])
    expect(() => preprocess(images, { vaeScaleFactor })).toThrow('got 8x8 and 16x8')
    expect(() => preprocess(images, { vaeScaleFactor, width: 8 })).toThrow(InvalidArgumentError)
  })

  test('a tensor in [0, 1] is doubled; one with negative values stays', () => {
    const positive = new Tensor('float32', new Float32Array(192).fill(0.75), [1, 3, 8, 8])
    expect(values(preprocess(positive, { vaeScaleFactor }))).toEqual(Array(192).fill(0.5))
    const signed = new Tensor('float32', new Float32Array(192).fill(-0.25), [1, 3, 8, 8])
    expect(values(preprocess(signed, { vaeScaleFactor }))).toEqual(Array(192).fill(-0.25))
  })

  test("a tensor is resized as torch's interpolate does", () => {
    const data = Float32Array.from({ length: 3 * 10 * 9 }, (_, i) => i / 270)
    const tensor = preprocess(new Tensor('float32', data, [1, 3, 10, 9]), { vaeScaleFactor })
    expect(tensor.dims).toEqual([1, 3, 8, 8])
    // floor(i · 10/8) and floor(i · 9/8)
    const [rows, columns] = [
      [0, 1, 2, 3, 5, 6, 7, 8],
      [0, 1, 2, 3, 4, 5, 6, 7],
    ]
    const expected = [0, 1, 2].flatMap((c) => rows.flatMap((y) => columns.map((x) => data[(c * 10 + y) * 9 + x])))
    expect(values(tensor)).toEqual(expected.map((v) => Math.fround(2 * v - 1)))
  })

  test.each<[string, readonly RawImage[] | Tensor, string]>([
    ['an empty list', [], 'not images'],
    ['something else', ['x' as unknown as RawImage], 'not images'],
    ['nothing', undefined as unknown as RawImage[], 'not images'],
    ['an image below the factor', [filled(7, 8, 1, 2, 3)], 'got 7x8, expected at least 8x8'],
    ['three dimensions', new Tensor('float32', new Float32Array(192), [3, 8, 8]), 'got [3, 8, 8]'],
    ['one channel', new Tensor('float32', new Float32Array(64), [1, 1, 8, 8]), 'expected [batch, 3, height, width]'],
    ['an empty batch', new Tensor('float32', new Float32Array(0), [0, 3, 8, 8]), 'got [0, 3, 8, 8]'],
    ['bytes', new Tensor('uint8', new Uint8Array(192), [1, 3, 8, 8]), 'got uint8, expected float32'],
    ['values to 255', new Tensor('float32', new Float32Array(192).fill(200), [1, 3, 8, 8]), 'got 200 to 200'],
    ['infinity', new Tensor('float32', new Float32Array(192).fill(-Infinity), [1, 3, 8, 8]), 'wrong range'],
    ['NaN', new Tensor('float32', new Float32Array(192).fill(Number.NaN), [1, 3, 8, 8]), 'NaN'],
  ])('refuses %s', (_, images, message) => {
    expect(() => preprocess(images, { vaeScaleFactor })).toThrow(InvalidArgumentError)
    expect(() => preprocess(images, { vaeScaleFactor })).toThrow(message)
  })
})

describe('preprocessMask', () => {
  test('is 1 from half brightness on', () => {
    const mask = new RawImage(
      Uint8ClampedArray.from({ length: 64 }, (_, i) => i * 4),
      8,
      8,
      1,
    )
    const expected = Array.from({ length: 64 }, (_, i) => (i >= 32 ? 1 : 0))
    const tensor = preprocessMask([mask], { vaeScaleFactor })
    expect(tensor.dims).toEqual([1, 1, 8, 8])
    expect(values(tensor)).toEqual(expected)
    expect(values(preprocessMask([mask.convert('RGBA')], { vaeScaleFactor }))).toEqual(expected)
    expect(values(preprocessMask(mask.toTensor(), { vaeScaleFactor }))).toEqual(expected)
  })

  test('127 is below half and 128 above', () => {
    for (const [value, expected] of [
      [127, 0],
      [128, 1],
    ]) {
      expect(values(preprocessMask([filled(8, 8, value)], { vaeScaleFactor }))).toEqual(Array(64).fill(expected))
    }
  })
})

describe('postprocess', () => {
  test('clamps, rounds half to even and splits the batch', () => {
    const batch = new Tensor('float32', Float32Array.of(-1.5, -1, 0, 1, 2, 0.5), [2, 3, 1, 1])
    expect(values(denormalize(batch))).toEqual([0, 0, 0.5, 1, 1, 0.75])
    // 127.5 is a half and goes to 128; 191.25 to 191.
    expect(postprocess(batch).map(({ data }) => [...data])).toEqual([
      [0, 0, 128],
      [255, 255, 191],
    ])
  })

  test('undoes preprocess, for every value', () => {
    const image = new RawImage(
      Uint8ClampedArray.from({ length: 768 }, (_, i) => i & 255),
      16,
      16,
      3,
    )
    expect(postprocess(preprocess([image], { vaeScaleFactor }))).toEqual([image])
  })
})

describe('readImages', () => {
  test('reads one or a list, and leaves a tensor', async () => {
    const image = filled(8, 8, 1, 2, 3)
    const tensor = image.toTensor()
    expect(await readImages(tensor)).toBe(tensor)
    expect(await readImages(image)).toEqual([image])
    expect(await readImages([image, await image.toBlob()])).toEqual([image, image])
    await expect(readImages([])).rejects.toThrow('the list of images is empty')
    await expect(readImages(7 as unknown as RawImage)).rejects.toThrow('not an image: got 7')
  })
})
