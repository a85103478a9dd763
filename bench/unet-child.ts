import { readFileSync } from 'node:fs'
import { Tensor } from 'onnxruntime-common'
import { Generator } from '../src/core/generator'
import { standardForms } from '../src/graph/forms'
import { UNet2DConditionModel } from '../src/models/unet-2d-condition'
import { denoise } from '../src/pipelines/denoise'
import { guide } from '../src/pipelines/guidance'
import { localRepository } from '../src/platform/node/files'
import { OnnxRuntimeNodeBackend } from '../src/platform/node/onnxruntime'
import type { Backend, GraphSource, Session, SessionOptions } from '../src/runtime/backend'
import { EulerDiscreteScheduler } from '../src/schedulers'

/** What one measurement prints, as JSON. */
export interface Measurement {
  /** Seconds from nothing to a session that can run. */
  readonly load: number
  /** Fastest of the UNet calls behind the first two, in which ONNX Runtime still asks for memory, in seconds; batch 2. */
  readonly call: number
  /** Share of a denoising step that is spent outside of ONNX Runtime. */
  readonly overhead: number
  /** Largest resident memory, bytes, what the process held before counted off. */
  readonly peak: number
  /** The first 1,000 values of the prediction, to compare the forms. */
  readonly values: readonly number[]
}

/** The native backend, with the time inside ONNX Runtime counted; `asBytes` hides the weights' path from it. */
class TimedBackend extends OnnxRuntimeNodeBackend implements Backend {
  inside = 0

  constructor(private readonly asBytes: boolean) {
    super()
  }

  override async createSession(source: GraphSource, options: SessionOptions): Promise<Session> {
    const files = [...source.externalData].map(([location, file]) => {
      const { name, size } = file
      const read = (offset: number, length: number) => file.read(offset, length)
      return [location, this.asBytes ? { name, size, read } : file] as const
    })
    const session = await super.createSession({ ...source, externalData: new Map(files) }, options)
    return {
      inputs: session.inputs,
      outputs: session.outputs,
      dispose: () => session.dispose(),
      run: async (feeds, fetches) => {
        const start = performance.now()
        const result = await session.run(feeds, fetches)
        this.inside += performance.now() - start
        return result
      },
    }
  }
}

function peakMemory(): number {
  const [, kilobytes] = /VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8')) ?? []
  return Number(kilobytes) * 1024
}

const [folder, form, size, calls] = process.argv.slice(2)
const plain = form === 'plain'
const side = Number(size) / 8
const backend = new TimedBackend(plain)
const before = process.memoryUsage().rss

const started = performance.now()
const unet = await UNet2DConditionModel.fromPretrained(localRepository(folder), {
  backend,
  device: 'cpu',
  ...(plain && { forms: standardForms }),
  ...(form !== 'built' && { graphOptimization: 'all' }),
})
await unet.load()
const load = (performance.now() - started) / 1000

const generator = new Generator(0)
const context = generator.randn([2, 77, 768])
const scheduler = new EulerDiscreteScheduler({ betaSchedule: 'scaled_linear', betaStart: 0.00085, betaEnd: 0.012 })
scheduler.setTimesteps(Number(calls) + 1)
const latents = generator.randn([1, 4, side, side])
const twice = new Float32Array(2 * latents.size)
let first: Tensor | undefined
let made = 0
let best = Number.POSITIVE_INFINITY
const predict = async (input: Tensor, timestep: number) => {
  twice.set(input.data as Float32Array)
  twice.set(input.data as Float32Array, input.size)
  const sample = new Tensor('float32', twice, [2, 4, side, side])
  const start = performance.now()
  const { sample: prediction } = await unet.run({ sample, timestep, encoderHiddenStates: context })
  if (made++ >= 2) best = Math.min(best, (performance.now() - start) / 1000)
  first ??= prediction
  return guide(prediction, 7.5, 0)
}
let total = 0
let mark = performance.now()
const { timesteps } = scheduler
for await (const { index } of denoise({ scheduler, timesteps, latents, predict, stepOptions: {} })) {
  // The first step allocates: what repeats is the others.
  if (index === 0) backend.inside = 0
  else total += performance.now() - mark
  mark = performance.now()
}
const measurement: Measurement = {
  load,
  call: best,
  overhead: (total - backend.inside) / total,
  peak: peakMemory() - before,
  values: first ? Array.from(first.data as Float32Array).slice(0, 1000) : [],
}
process.stdout.write(`${JSON.stringify(measurement)}\n`)
await unet.dispose()
