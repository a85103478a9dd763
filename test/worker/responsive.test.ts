import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import * as direct from '../../src/node'
import { StableDiffusionPipeline } from '../../src/worker'
import { fixture } from '../goldens'

const folder = fixture('models/tiny-sd1')
/** So large that a call of the UNet takes long, also of this small one. */
const large = {
  prompt: 'a red circle',
  numInferenceSteps: 2,
  height: 384,
  width: 384,
  seed: 1,
  outputType: 'latent',
} as const

/** The longest time that a timer of 5 ms stays away while something is done, and its usual time, in milliseconds. */
async function gaps(work: () => Promise<unknown>): Promise<{ longest: number; usual: number }> {
  const intervals: number[] = []
  let last = performance.now()
  const timer = setInterval(() => {
    const now = performance.now()
    intervals.push(now - last)
    last = now
  }, 5)
  await new Promise((resolve) => setTimeout(resolve, 20))
  await work()
  await new Promise((resolve) => setTimeout(resolve, 20))
  clearInterval(timer)
  const sorted = intervals.toSorted((a, b) => a - b)
  return { longest: sorted[sorted.length - 1], usual: sorted[sorted.length >> 1] }
}

it('a timer goes on firing while the worker draws, and stands still while this thread does', async () => {
  const here = await direct.StableDiffusionPipeline.fromPretrained(folder, { device: 'cpu', threads: 1 })
  const there = await StableDiffusionPipeline.fromPretrained(folder, { device: 'cpu', threads: 1 })
  const blocked = await gaps(() => here.run(large))
  const free = await gaps(() => there.run(large))
  await Promise.all([here.dispose(), there.dispose()])
  // A call of the UNet blocks for more than 200 ms. The timer's usual interval is about 8 ms while the worker draws, also on
  // a machine with six processes for each core: 50 ms, the length of a long task, leaves room. The longest depends on what
  // else the machine does, so its bound is that of a call in this thread.
  expect(blocked.longest).toBeGreaterThan(200)
  expect(free.usual).toBeLessThan(50)
  expect(free.longest).toBeLessThan(blocked.longest)
})

/** Runs a script that imports `latentkit/worker`, and gives what it prints. */
async function script(body: string): Promise<string> {
  const source = new URL('../../src/worker.ts', import.meta.url)
  const code = `import { StableDiffusionPipeline } from '${source}'
    const pipe = await StableDiffusionPipeline.fromPretrained(${JSON.stringify(folder)})
    ${body}`
  const args = ['--import', 'tsx', '--input-type=module', '--eval', code]
  const cwd = fileURLToPath(new URL('../..', import.meta.url))
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd, timeout: 50_000 })
  return stdout.trim()
}

it('the process ends after dispose, and also while a pipeline waits for work', async () => {
  const run = `const { images } = await pipe.run({ prompt: 'a star', numInferenceSteps: 1, height: 64, width: 64 })
    console.log(images[0].width)`
  expect(await script(`${run}\nawait pipe.dispose()`)).toBe('64')
  expect(await script(run)).toBe('64')
})
