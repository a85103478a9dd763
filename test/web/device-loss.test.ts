import { afterAll, beforeAll, expect, it } from 'vitest'
import { openPage, type TestPage } from './browser'

let page: TestPage
beforeAll(async () => {
  page = await openPage()
})
afterAll(() => page?.close())

const right = [0, 2, 4]

it('asks for the limits that the adapter really has, and for no subgroups of fewer than eight lanes', async () => {
  expect(await page.call('runOnGpu')).toEqual({ y: right, devices: 1 })
  const { adapter, device, features } = await page.call('deviceLimits')
  expect(device).toEqual(adapter)
  // SwiftShader's have four.
  expect(features).not.toContain('subgroups')
})

it('says that the device was lost in the middle of a run, and the next run loads the weights anew', async () => {
  const lost = await page.call('loseDevice', true)
  expect(lost?.code).toMatch(
    /^ERR_DEVICE_LOST: \[latentkit\] \[webgpu\] the GPU device was lost \(destroyed.*run again/,
  )
  expect(await page.call('runOnGpu')).toEqual({ y: right, devices: 2 })
})

it('rebuilds without an error when the device was lost between two runs', async () => {
  await page.call('loseDevice', false)
  expect(await page.call('runOnGpu')).toEqual({ y: right, devices: 3 })
})

it('survives a crash of the GPU process', async () => {
  const browser = await page.page.context().browser()?.newBrowserCDPSession()
  const { processInfo } = (await browser?.send('SystemInfo.getProcessInfo')) ?? { processInfo: [] }
  const gpu = processInfo.filter(({ type }) => type === 'GPU')
  expect(gpu.length).toBe(1)
  process.kill(gpu[0].id, 'SIGKILL')
  // The crash comes to the page's knowledge on its own time.
  await expect.poll(async () => (await page.call('runOnGpu')).devices, { timeout: 60_000 }).toBe(4)
  expect((await page.call('runOnGpu')).y).toEqual(right)
})
