import { expect, test } from 'vitest'
import { convertPixels, modeOf } from '../../src/image/modes'

const pixels = (channels: 1 | 2 | 3 | 4, ...values: number[]) => ({
  width: values.length / channels,
  height: 1,
  channels,
  data: Uint8ClampedArray.from(values),
})

test('modes have their channels', () => {
  expect(([1, 2, 3, 4] as const).map(modeOf)).toEqual(['L', 'LA', 'RGB', 'RGBA'])
})

test('every mode becomes every other', () => {
  // 0.299, 0.587 and 0.114 of the colours; alpha is dropped or made 255, never blended.
  const color = pixels(4, 255, 0, 0, 7, 0, 255, 0, 0, 0, 0, 255, 255, 10, 20, 30, 128)
  expect([...convertPixels(color, 'L').data]).toEqual([76, 150, 29, 18])
  expect([...convertPixels(color, 'LA').data]).toEqual([76, 7, 150, 0, 29, 255, 18, 128])
  expect([...convertPixels(color, 'RGB').data]).toEqual([255, 0, 0, 0, 255, 0, 0, 0, 255, 10, 20, 30])
  expect(convertPixels(color, 'RGBA')).toEqual(color)
  expect([...convertPixels(pixels(3, 1, 2, 3), 'RGBA').data]).toEqual([1, 2, 3, 255])
  expect([...convertPixels(pixels(3, 255, 255, 255), 'LA').data]).toEqual([255, 255])
  const gray = pixels(2, 9, 1, 200, 255)
  expect([...convertPixels(gray, 'L').data]).toEqual([9, 200])
  expect([...convertPixels(gray, 'RGB').data]).toEqual([9, 9, 9, 200, 200, 200])
  expect([...convertPixels(gray, 'RGBA').data]).toEqual([9, 9, 9, 1, 200, 200, 200, 255])
  expect([...convertPixels(pixels(1, 5), 'RGBA').data]).toEqual([5, 5, 5, 255])
  expect([...convertPixels(pixels(1, 5), 'LA').data]).toEqual([5, 255])
})

test('a gray colour keeps its value as grayscale', () => {
  for (let value = 0; value < 256; value++) {
    expect(convertPixels(pixels(3, value, value, value), 'L').data[0]).toBe(value)
  }
})
