import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openPage, type TestPage } from './browser'

// What the words mean, wherever in the shape and its ground one looks; the model jitters its colours a little.
const colours = { red: [213, 29, 38], blue: [31, 93, 220], green: [46, 148, 70], yellow: [254, 208, 26] } as const
const jitter = 45

const prompts = [
  ['a red circle on a blue background', 'red', 'blue'],
  ['a green square on a yellow background', 'green', 'yellow'],
] as const

// SwiftShader takes half a minute for a picture of three steps.
describe.each([
  ['wasm', prompts, 4],
  ['webgpu', [prompts[0]], 3],
] as const)('tiny-shapes on %s', (device, drawn, steps) => {
  let page: TestPage
  beforeAll(async () => {
    page = await openPage()
  })
  afterAll(() => page?.close())

  it.each(drawn)('draws %s', async (prompt, shape, ground) => {
    const { width, height, at } = await page.call('draw', prompt, device, steps)
    expect([width, height]).toEqual([128, 128])
    const expected = { centre: colours[shape], topLeft: colours[ground], bottomRight: colours[ground] }
    for (const [place, colour] of Object.entries(expected)) {
      const got = at[place as keyof typeof at]
      const distance = Math.max(...got.map((value, i) => Math.abs(value - colour[i])))
      expect(distance, `${place}: got ${got}, expected ${colour}`).toBeLessThanOrEqual(jitter)
    }
  })
})
