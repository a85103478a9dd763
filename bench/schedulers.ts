/**
 * The schedulers: how long a step of each takes on the latents of a 512×512 picture and whether memory grows, and one
 * prompt and seed drawn with each in several numbers of steps by the embedded model, as a sheet.
 *
 *     npm run bench:schedulers [-- --only times|sheet --steps 4,8,16,32 --prompt "…" --seed 7 --output FILE]
 */
import { setTimeout } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import {
  createScheduler,
  Generator,
  RePaintScheduler,
  type Scheduler,
  type SchedulerClass,
  StableDiffusionPipeline,
  type StepOptions,
  schedulers,
} from 'latentkit'
import sharp, { type OverlayOptions } from 'sharp'

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    steps: { type: 'string', default: '4,8,16,32' },
    prompt: { type: 'string', default: 'a red star on a blue background' },
    seed: { type: 'string', default: '7' },
    output: { type: 'string', default: 'docs/images/schedulers.png' },
  },
})

// ─── Times and memory ───────────────────────────────────────────────────────────────────────────────────────────────

const DIMS = [1, 4, 64, 64]
/** Steps that are measured, after as many that warm up. */
const MEASURED = 1000

setFlagsFromString('--expose-gc')
const collectGarbage: () => void = runInNewContext('gc')

/** The bytes that live on, on the heap and in arrays, which are freed some time after their owners. */
async function memory(): Promise<number> {
  for (let i = 0; i < 3; i++) {
    collectGarbage()
    await setTimeout(20)
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

/** Takes `count` steps in runs of fifty, and gives the milliseconds a step of the run that other work disturbed least. */
function timeOf(scheduler: Scheduler, count: number): number {
  const generator = new Generator(1)
  const output = generator.randn(DIMS)
  const start = generator.randn(DIMS)
  const painting: StepOptions = scheduler.stepOptions.has('mask') ? { originalImage: start, mask: start } : {}
  const options = scheduler.stepOptions.has('generator') ? { generator, ...painting } : painting
  let best = Infinity
  for (let taken = 0; taken < count; ) {
    scheduler.setTimesteps(50)
    // Where RePaint goes back, it adds the training's noise, which is no step.
    const timesteps = scheduler.timesteps.filter(
      (timestep, i, all) => !(scheduler instanceof RePaintScheduler && timestep > all[i - 1]),
    )
    let sample = start
    const before = process.cpuUsage()
    for (const timestep of timesteps) {
      scheduler.scaleModelInput(sample, timestep)
      sample = scheduler.step(output, timestep, sample, options).prevSample
    }
    const { user, system } = process.cpuUsage(before)
    best = Math.min(best, (user + system) / 1000 / timesteps.length)
    taken += timesteps.length
  }
  return best
}

async function measureTimes(): Promise<void> {
  console.log(`| ${'class'.padEnd(34)} | ms a step | growth in ${MEASURED} steps |`)
  console.log(`|${'-'.repeat(36)}|----------:|---------------------:|`)
  for (const Class of Object.values(schedulers) as SchedulerClass[]) {
    const scheduler = new Class()
    timeOf(scheduler, MEASURED)
    const before = await memory()
    const time = timeOf(scheduler, MEASURED).toFixed(2)
    const growth = `${(((await memory()) - before) / 1024).toFixed(0)} KiB`
    console.log(`| ${Class.className.padEnd(34)} | ${time.padStart(9)} | ${growth.padStart(20)} |`)
  }
}

// ─── The sheet ──────────────────────────────────────────────────────────────────────────────────────────────────────

/** The samplers of models that predict noise or v, by their names. */
const SAMPLERS = [
  'ddim',
  'ddpm',
  'plms',
  'euler',
  'euler a',
  'heun',
  'lms',
  'dpm2',
  'dpm2 a',
  'tcd',
  'dpm++ 2m',
  'dpm++ 2m karras',
  'dpm++ 2m sde karras',
  'dpm++ 3m',
  'dpm++ 2s',
  'dpm++ sde',
  'deis',
  'unipc',
  'sa solver',
  'lcm',
]
const BLOCKS = 2
const CELL = 104
const LABEL = 172
const HEADER = 30

async function drawSheet(): Promise<void> {
  const steps = values.steps.split(',').map(Number)
  const pipe = await StableDiffusionPipeline.fromPretrained('models/tiny-shapes')
  const { config } = pipe.scheduler
  const rows = Math.ceil(SAMPLERS.length / BLOCKS)
  const blockWidth = LABEL + steps.length * CELL
  const texts: string[] = []
  const pictures: OverlayOptions[] = []
  for (const [i, name] of SAMPLERS.entries()) {
    const left = Math.floor(i / rows) * blockWidth
    const top = HEADER + (i % rows) * CELL
    texts.push(text(name, left + LABEL - 12, top + CELL / 2 + 5, 'end'))
    pipe.scheduler = createScheduler(name, config)
    for (const [column, count] of steps.entries()) {
      const x = left + LABEL + column * CELL
      if (i % rows === 0) texts.push(text(String(count), x + CELL / 2, HEADER - 10, 'middle'))
      const { images } = await pipe.run({
        prompt: values.prompt,
        numInferenceSteps: count,
        guidanceScale: 5,
        seed: Number(values.seed),
      })
      const { data, width, height } = images[0]
      const input = await sharp(data, { raw: { width, height, channels: 3 } })
        .resize(CELL - 4, CELL - 4)
        .png()
        .toBuffer()
      pictures.push({ input, left: x + 2, top: top + 2 })
      process.stdout.write(`\r${i + 1} of ${SAMPLERS.length}: ${name}, ${count} steps      `)
    }
  }
  await pipe.dispose()
  const [width, height] = [BLOCKS * blockWidth, HEADER + rows * CELL]
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">${texts.join('')}</svg>`
  await sharp({ create: { width, height, channels: 3, background: 'white' } })
    .composite([...pictures, { input: Buffer.from(svg), left: 0, top: 0 }])
    .png({ palette: true })
    .toFile(values.output)
  console.log(`\n${values.output}`)
}

function text(content: string, x: number, y: number, anchor: 'middle' | 'end'): string {
  const style = `font-family="DejaVu Sans, Arial, sans-serif" font-size="14" fill="#222" text-anchor="${anchor}"`
  return `<text x="${x}" y="${y}" ${style}>${content}</text>`
}

if (values.only !== 'sheet') await measureTimes()
if (values.only !== 'times') await drawSheet()
