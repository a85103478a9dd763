import { mkdirSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { build, type PreviewServer, preview } from 'vite'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { RawImage } from '../../src/node'
import { launch } from './browser'

/** The demo page, used as a person would: by what is to be read on it, and with the keyboard. */
describe('the demo page', () => {
  const configFile = resolve('examples/web/vite.config.ts')
  const screenshots = resolve('out/demo-screenshots')
  let server: PreviewServer
  let address: string
  let browser: Browser
  let context: BrowserContext
  let page: Page
  const errors: string[] = []

  beforeAll(async () => {
    await build({ configFile, logLevel: 'warn' })
    server = await preview({ configFile, logLevel: 'warn', preview: { port: 0 } })
    address = server.resolvedUrls?.local[0] ?? ''
    mkdirSync(screenshots, { recursive: true })
    browser = await launch()
    context = await browser.newContext({
      viewport: { width: 1180, height: 1010 },
      colorScheme: 'light',
      reducedMotion: 'reduce',
    })
    page = await context.newPage()
    page.setDefaultTimeout(20_000)
    page.on('pageerror', (error) => errors.push(error.message))
    await page.goto(address)
    await status(/^Ready$/)
  })

  afterAll(async () => {
    await browser?.close()
    await server?.close()
  })

  afterEach(() => expect(errors).toEqual([]))

  const field = (label: string) => page.getByLabel(label, { exact: true })
  const button = (name: string | RegExp) => page.getByRole('button', { name })

  /** Waits until the status is that; a message of an error ends the waiting. */
  async function status(expected: RegExp): Promise<void> {
    const found = page.getByRole('status').filter({ hasText: expected })
    const alert = page.getByRole('alert')
    await found.or(alert).waitFor({ timeout: 120_000 })
    if (await alert.isVisible()) throw new Error((await alert.textContent()) ?? '')
  }

  const canvas = () => page.evaluate(() => document.querySelector('canvas')?.toDataURL() ?? '')
  const gallery = () => page.locator('#gallery img').count()

  /** The mean color of a square around the centre, or in the left upper corner, of the picture that is shown. */
  async function colorOf(place: 'centre' | 'corner'): Promise<number[]> {
    const bytes = Buffer.from((await canvas()).split(',')[1], 'base64')
    const { data, width, height, channels } = (await RawImage.read(bytes)).convert('RGB')
    const size = Math.floor(width / 16)
    const [left, top] = place === 'corner' ? [2, 2] : [(width - size) >> 1, (height - size) >> 1]
    const sums = [0, 0, 0]
    for (let y = top; y < top + size; y++) {
      for (let x = left; x < left + size; x++)
        for (const c of [0, 1, 2]) sums[c] += data[(y * width + x) * channels + c]
    }
    return sums.map((sum) => sum / size ** 2)
  }

  it('says where it computes, and begins in the prompt', async () => {
    await expect(page.locator('#device').textContent()).resolves.toMatch(/^(WebGPU|WASM, \d+ threads?)$/)
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('prompt')
  })

  it('draws with the keyboard alone, shows previews and the time left', async () => {
    await page.keyboard.press('Control+A')
    await page.keyboard.type('a red star on a blue background')
    await field('Steps').fill('16')
    await field('Prompt').focus()
    await page.keyboard.press('Enter')
    await page.locator('canvas[aria-label^="Preview of"]').waitFor()
    await page.getByText(/step \d+ of 16, .* left/).waitFor()
    const early = await canvas()
    await status(/^Drawn in/)
    expect(await canvas()).not.toBe(early)
    expect(await gallery()).toBe(1)
    const [red, , blue] = await colorOf('centre')
    expect(red).toBeGreaterThan(blue + 60)
    const corner = await colorOf('corner')
    expect(corner[2]).toBeGreaterThan(corner[0] + 60)
  })

  it('offers the picture as a PNG that says how it was made', async () => {
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByText('Download PNG').click()])
    expect(download.suggestedFilename()).toBe('a-red-star-on-a-blue-background-11.png')
    const { width, text } = await RawImage.read(await download.path())
    expect(width).toBe(128)
    expect(text.parameters).toMatch(/^a red star on a blue background\n.*Steps: 16/s)
  })

  it('stops at Escape, and draws again: the same picture from the same seed', async () => {
    const before = await canvas()
    await field('Prompt').focus()
    await page.keyboard.press('Enter')
    await page.getByText(/step \d+ of 16/).waitFor()
    await page.keyboard.press('Escape')
    await status(/^Stopped$/)
    expect(await gallery()).toBe(1)
    await field('Prompt').focus()
    await page.keyboard.press('Enter')
    await status(/^Drawn in/)
    expect(await canvas()).toBe(before)
    expect(await gallery()).toBe(2)
  })

  it('rolls a seed, takes another scheduler and size', async () => {
    const seed = await field('Seed').inputValue()
    await button('Roll another seed').click()
    expect(await field('Seed').inputValue()).not.toBe(seed)
    await field('Scheduler').selectOption('Euler a')
    await field('Size').selectOption('192 × 128')
    await field('Steps').fill('4')
    await button(/^Draw/).click()
    await status(/^Drawn in/)
    await page.getByText(/4 steps of Euler a, .*192 × 128$/).waitFor()
  })

  it('draws from a picture that is dropped on it', async () => {
    const transfer = await page.evaluateHandle(async () => {
      const start = document.createElement('canvas')
      start.width = start.height = 128
      const drawing = start.getContext('2d')
      if (!drawing) throw new Error('no canvas')
      drawing.fillStyle = 'rgb(0, 160, 60)'
      drawing.fillRect(0, 0, 128, 128)
      const file = await new Promise<Blob | null>((done) => start.toBlob(done))
      const data = new DataTransfer()
      data.items.add(new File([file ?? ''], 'green.png', { type: 'image/png' }))
      return data
    })
    await page.locator('#drop').dispatchEvent('drop', { dataTransfer: transfer })
    await page.getByText('Starting from this picture').waitFor()
    await field('Prompt').fill('a green square')
    await field('Strength').fill('0.3')
    await field('Steps').fill('10')
    await button(/^Draw/).click()
    await status(/^Drawn in/)
    const [red, green, blue] = await colorOf('corner')
    expect(green).toBeGreaterThan(Math.max(red, blue) + 40)
    await button('Remove').first().click()
    expect(await field('Strength').isVisible()).toBe(false)
  })

  it('shows an earlier picture with its settings', async () => {
    await page
      .getByRole('button', { name: /a red star .*seed 11/ })
      .first()
      .click()
    expect(await field('Prompt').inputValue()).toBe('a red star on a blue background')
    expect(await field('Seed').inputValue()).toBe('11')
    await page.evaluate(() => window.scrollTo(0, 0))
    await page.screenshot({ path: resolve(screenshots, 'light.png') })
    await page.emulateMedia({ colorScheme: 'dark' })
    await page.screenshot({ path: resolve(screenshots, 'dark.png') })
  })

  it('fits a phone', async () => {
    await page.setViewportSize({ width: 360, height: 740 })
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
    expect(overflow).toBeLessThanOrEqual(0)
    await page.screenshot({ path: resolve(screenshots, 'phone.png'), fullPage: true })
    await page.setViewportSize({ width: 1180, height: 1010 })
  })

  it('tells what is wrong with a model that does not exist, and goes on with the other', async () => {
    await page.locator('summary').click()
    const repository = field('Repository')
    await repository.fill('./no-such-model')
    await repository.press('Enter')
    await page
      .getByRole('alert')
      .filter({ hasText: /model_index\.json/ })
      .waitFor()
    await repository.fill('tiny-shapes')
    await repository.press('Enter')
    await status(/^Ready$/)
  })

  it('opens without a network, and draws from what is stored', async () => {
    await server.close()
    await page.reload()
    await status(/^Ready$/)
    await field('Steps').fill('4')
    await button(/^Draw/).click()
    await status(/^Drawn in/)
    expect(await gallery()).toBe(1)
  })
})
