import {
  type AnyPipeline,
  type CallOptions,
  createScheduler,
  env,
  Generator,
  type LoadOptions,
  type PipelineOutput,
} from '../node'
import type { DrawingOptions } from './options'
import { planOutput } from './output'
import { embeddedModel } from './package'
import { duration, Progress } from './progress'

/** What a drawing command is made of. */
export interface Drawing<P extends AnyPipeline> {
  readonly prompt: string
  readonly options: DrawingOptions
  readonly signal: AbortSignal
  readonly load: (source: string, options: LoadOptions) => Promise<P>
  /** Runs the pipeline with the common options and its own. */
  readonly run: (pipe: P, call: CallOptions & { readonly outputType: 'image' }) => Promise<PipelineOutput>
}

/** Loads a model, draws the pictures one after the other, and prints where they are. */
export async function draw<P extends AnyPipeline>({ prompt, options, signal, load, run }: Drawing<P>): Promise<void> {
  const { steps, guidance, negative, count, revision, variant, threads, dtype, quiet, json } = options
  const tell = (line: string) => quiet || console.error(line)
  const progress = new Progress(quiet ? undefined : process.stderr)
  const output = await planOutput(options.output, { prompt, count, force: options.force })
  const begin = performance.now()

  const source = options.model ?? embeddedModel()
  const device = options.device === 'auto' ? (await env.backend?.devices())?.[0] : options.device
  const onProgress = progress.listener
  const loading = { revision, variant, device, dtype, threads, keepLoaded: !options.lowMemory, onProgress, signal }
  const pipe = await progress.during('loading', load(source, loading))
  try {
    if (options.scheduler) pipe.scheduler = createScheduler(options.scheduler, pipe.scheduler.config)
    const scheduler = pipe.scheduler.config._className
    const { model } = pipe.shared
    const ready = performance.now()
    tell(`${model} on ${device}, ready after ${duration(ready - begin)}`)

    const first = options.seed ?? new Generator().seed
    const files: object[] = []
    for (let index = 0; index < count; index++) {
      const seed = BigInt.asUintN(64, first + BigInt(index))
      const start = performance.now()
      const settings = { numInferenceSteps: steps, guidanceScale: guidance, negativePrompt: negative }
      const call = { ...settings, prompt, seed, onProgress, signal, outputType: 'image' } as const
      const [image] = (await progress.during('starting', run(pipe, call))).images
      const path = await output.save(image, { seed, index })
      const time = performance.now() - start
      const { width, height } = image
      tell(`seed ${seed}: ${width}x${height}, ${steps} steps of ${scheduler}, guidance ${guidance}, ${duration(time)}`)
      if (!json) console.log(path)
      files.push({ path, seed: jsonSeed(seed), width, height, seconds: seconds(time) })
    }
    if (json) {
      const time = { load: seconds(ready - begin), total: seconds(performance.now() - begin) }
      const what = { prompt, negativePrompt: negative, model: source, scheduler, steps, guidance, device }
      console.log(JSON.stringify({ files, seed: jsonSeed(first), ...what, seconds: time }, null, 2))
    }
  } finally {
    await pipe.dispose()
  }
}

/** JSON readers take numbers up to 2⁵³ − 1; a seed above is a text. */
function jsonSeed(seed: bigint): number | string {
  return seed <= Number.MAX_SAFE_INTEGER ? Number(seed) : `${seed}`
}

function seconds(milliseconds: number): number {
  return Math.round(milliseconds) / 1000
}
