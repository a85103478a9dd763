import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openPage, type TestPage } from './browser'

const MIB = 2 ** 20

let page: TestPage
const open = async (options = {}) => {
  page = await openPage(options)
}
afterEach(() => page?.close())

describe('weights behind the fifth gigabyte of a file', () => {
  it('stream to the GPU in pieces: neither the page nor WebAssembly holds them', async () => {
    await open()
    const before = await page.call('heldMemory')
    const { isRight, largest, total } = await page.call('multiplyFromHugeFile', 'webgpu', 40)
    expect(isRight).toBe(true)
    expect(total).toBe(40 * 4 * MIB)
    expect(largest).toBeLessThanOrEqual(8 * MIB)
    const after = await page.call('heldMemory')
    expect(after.wasm - before.wasm).toBeLessThan(40 * MIB)
    expect([after.buffers, after.bytes]).toEqual([0, 0])
  })

  it.each([
    ['wasm', true],
    ['wasm', false],
    ['webgpu', false],
  ] as const)('are found on %s, with JSPI: %s', async (device, jspi) => {
    await open({ jspi })
    const { isRight, total } = await page.call('multiplyFromHugeFile', device, 3)
    expect(isRight).toBe(true)
    expect(total).toBe(3 * 4 * MIB)
  })
})

describe('opening and closing a pipeline', () => {
  beforeEach(() => open())

  it('ten times leaves nothing on the GPU, nor does a run that was stopped', async () => {
    const held = []
    for (let round = 0; round < 10; round++) {
      // A drawing takes SwiftShader seconds: one round draws, one is stopped.
      const [steps, stopAfter] = [round === 0 || round === 8 ? 2 : 0, round === 8 ? 1 : undefined]
      const { loaded, closed } = await page.call('openAndClose', 'webgpu', steps, stopAfter)
      expect(loaded.bytes).toBeGreaterThan(2 * MIB)
      held.push(closed)
    }
    expect(held.map(({ buffers, bytes }) => [buffers, bytes])).toEqual(held.map(() => [0, 0]))
    // WebAssembly's memory never becomes smaller: it must not become larger either.
    expect(held[9].wasm).toBe(held[1].wasm)
  })

  it('ten times on WASM takes no more memory than the first times', async () => {
    const held = []
    for (let round = 0; round < 10; round++) {
      held.push((await page.call('openAndClose', 'wasm', 2, round % 2 ? 1 : undefined)).closed.wasm)
    }
    expect(held[9]).toBe(held[2])
  })
})
