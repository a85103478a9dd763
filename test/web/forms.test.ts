import { afterAll, beforeAll, expect, it } from 'vitest'
import { openPage, type TestPage } from './browser'

// Against the same computed in float64, relative to the largest value: what is left is float32's rounding of sums of up to
// 512 products, whose order differs from spelling to spelling. Measured on SwiftShader: attention 5.8e-7 (standard) and
// 4.4e-7 (fused), the others below 2e-7; on WASM 7.6e-7. Another GPU may contract and approximate exp otherwise: hence 4
// times that. Where the fused attention goes wrong (see settle-forms.ts), it is off by 0.3 and more.
const tolerance = 3e-6

let page: TestPage
beforeAll(async () => {
  page = await openPage()
})
afterAll(() => page?.close())

it.each([
  ['wasm', 'cpu'],
  ['wasm', 'standard'],
  ['webgpu', 'standard'],
  ['webgpu', 'webgpu'],
] as const)('on %s the %s spelling of every operator computes what it says', async (device, forms) => {
  const errors = await page.call('formErrors', device, forms)
  for (const [operator, error] of Object.entries(errors)) expect(error, operator).toBeLessThanOrEqual(tolerance)
})
