import { Tensor } from 'onnxruntime-common'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { difference, expectClose, goldenTensors } from '../goldens'
import { openPage, type TestPage } from './browser'
import type { Numbers } from './page/goldens'

const cases = ['txt2img-pndm', 'txt2img-EulerAncestralDiscreteScheduler', 'img2img-pndm']

// On WASM the tolerances of the CPU. On WebGPU the operators are as exact as on the CPU (forms.test.ts), and a guidance of
// 7.5 makes what is left larger with every step: measured on SwiftShader are 5.7e-6 of the latents' largest value and 5.5e-6
// in the picture. Twenty times that leaves room for the rounding of other GPUs, and none for an operator that is wrong.
const tolerances = { wasm: { latents: 1e-3, image: 2e-3 }, webgpu: { latents: 1e-4, image: 1e-4 } }

const tensor = ({ dims, data }: Numbers) => new Tensor('float32', Float32Array.from(data), dims)

async function compare(page: TestPage, id: string, device: 'wasm' | 'webgpu'): Promise<void> {
  const golden = await goldenTensors(`pipelines/${id}.safetensors`)
  const { latents, image } = await page.call('golden', id, device)
  expectClose(tensor(latents), golden.latents, tolerances[device].latents, 'latents')
  expect(difference(tensor(image), golden.image).largest).toBeLessThanOrEqual(tolerances[device].image)
}

describe.each(['wasm', 'webgpu'] as const)('pipelines equal diffusers on %s', (device) => {
  let page: TestPage
  beforeAll(async () => {
    page = await openPage()
  })
  afterAll(() => page?.close())

  it.each(cases)('%s', (id) => compare(page, id, device))

  it('says nothing about threads on a page that may have them', () => {
    expect(page.console.filter((text) => text.includes('cross-origin isolated'))).toEqual([])
    if (device === 'wasm') expect(page.page.workers().length).toBeGreaterThan(0)
  })
})

describe.each([
  ['on a page that is not isolated', { isolated: false }],
  ['in a browser without JSPI', { jspi: false }],
])('pipelines equal diffusers on wasm %s', (_, options) => {
  let page: TestPage
  beforeAll(async () => {
    page = await openPage(options)
  })
  afterAll(() => page?.close())

  it('txt2img-pndm', () => compare(page, 'txt2img-pndm', 'wasm'))

  it('has threads where the page may have them, and says so where it may not', () => {
    const isIsolated = !('isolated' in options)
    const warnings = page.console.filter((text) => text.includes('cross-origin isolated, so wasm runs on one thread'))
    expect(warnings.length).toBe(isIsolated ? 0 : 1)
    expect(page.page.workers().length > 0).toBe(isIsolated)
  })
})
