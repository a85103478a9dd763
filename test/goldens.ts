import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Tensor } from 'onnxruntime-common'
import { expect } from 'vitest'
import { SafetensorsFile } from '../src/formats/safetensors'

/** Absolute path of a file below `test/fixtures`. */
export function fixture(path: string): string {
  return fileURLToPath(new URL(`fixtures/${path}`, import.meta.url))
}

/** The tensors of a golden file, float32. */
export async function goldenTensors(path: string): Promise<Record<string, Tensor>> {
  const file = await SafetensorsFile.fromBytes(readFileSync(fixture(`goldens/${path}`)), path)
  const tensors: Record<string, Tensor> = {}
  for (const name of file.tensors.keys()) tensors[name] = await file.readTensor(name)
  return tensors
}

/** Largest |actual − expected|, and the largest |expected|. */
export function difference(actual: Tensor, expected: Tensor): { largest: number; scale: number } {
  expect(actual.dims).toEqual(expected.dims)
  const a = actual.data as Float32Array
  const b = expected.data as Float32Array
  let largest = 0
  let scale = 0
  for (let i = 0; i < b.length; i++) {
    // NaN compares false with everything: it must not count as no difference.
    if (!(Math.abs(a[i] - b[i]) <= largest)) largest = Math.abs(a[i] - b[i])
    scale = Math.max(scale, Math.abs(b[i]))
  }
  return { largest, scale }
}

/** Expects the largest difference to be at most `tolerance` of the golden's largest value. */
export function expectClose(actual: Tensor, expected: Tensor, tolerance: number, what: string): void {
  const { largest, scale } = difference(actual, expected)
  expect(largest / scale, `${what}: largest difference relative to the largest value`).toBeLessThanOrEqual(tolerance)
}
