import { afterAll, beforeAll, describe, it } from 'vitest'
import { backendContract } from '../contracts/backend'
import { openPage, type TestPage } from './browser'

// With JavaScript Promise Integration, as Chromium has it, and in the builds for browsers without it.
describe.each([
  ['webgpu', { jspi: true }],
  ['wasm', { jspi: true }],
  ['webgpu', { jspi: false }],
  ['wasm', { jspi: false }],
] as const)('onnxruntime-web on %s, %o, keeps the contract of a backend: it', (device, options) => {
  let page: TestPage
  beforeAll(async () => {
    page = await openPage(options)
  })
  afterAll(() => page?.close())

  it.each(Object.keys(backendContract))('%s', (name) => page.call('contract', name, device))
})
