import { readFileSync } from 'node:fs'
import type { Tensor } from 'onnxruntime-common'
import { afterAll, describe, expect, it } from 'vitest'
import {
  Generator,
  type Scheduler,
  StableDiffusionImg2ImgPipeline,
  StableDiffusionPipeline,
  schedulerFromConfig,
  schedulers,
} from '../../src/node'
import { difference, expectClose, fixture, goldenTensors } from '../goldens'

// float32 on both sides, on a CPU. The sums of a network differ in their order, and a guidance of 7.5 makes that larger
// with every step: latents stay within a thousandth of their largest value, pictures within half a grey level.
const latentTolerance = 1e-3
const imageTolerance = 2e-3

interface Case {
  readonly id: string
  readonly repo: string
  readonly pipeline?: string
  readonly call: Readonly<Record<string, unknown>>
  readonly seed: number
  readonly scheduler: { readonly class: string; readonly overrides: object } | null
}

const { cases } = JSON.parse(readFileSync(fixture('goldens/pipelines/cases.json'), 'utf8')) as { cases: Case[] }
const classes = { StableDiffusionPipeline, StableDiffusionImg2ImgPipeline }
type Pipeline = StableDiffusionPipeline | StableDiffusionImg2ImgPipeline

const loaded = new Map<string, Promise<StableDiffusionPipeline>>()
function load(repo: string): Promise<StableDiffusionPipeline> {
  const pipe = loaded.get(repo) ?? StableDiffusionPipeline.fromPretrained(fixture(`models/${repo}`), { device: 'cpu' })
  loaded.set(repo, pipe)
  return pipe
}

function camelCase(name: string): string {
  return name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
}

function callOptions({ call, seed }: Case): object {
  const options = Object.fromEntries(Object.entries(call).map(([key, value]) => [camelCase(key), value]))
  if (typeof options.image === 'string') options.image = fixture(`goldens/pipelines/${options.image}`)
  return { ...options, generator: new Generator(seed) }
}

async function pipelineOf({ repo, pipeline, scheduler }: Case): Promise<Pipeline> {
  const pipe = await load(repo)
  const overridden: Scheduler = scheduler
    ? schedulerFromConfig({ ...pipe.scheduler.config, _className: scheduler.class }, scheduler.overrides)
    : pipe.scheduler
  return pipeline === 'StableDiffusionImg2ImgPipeline'
    ? StableDiffusionImg2ImgPipeline.fromPipe(pipe, { scheduler: overridden })
    : StableDiffusionPipeline.fromPipe(pipe, { scheduler: overridden })
}

const selected = cases.filter(
  ({ pipeline = '', scheduler }) =>
    Object.hasOwn(classes, pipeline) && (!scheduler || Object.hasOwn(schedulers, scheduler.class)),
)

describe('pipelines equal diffusers', () => {
  afterAll(async () => {
    for (const pipe of loaded.values()) await (await pipe).dispose()
  })

  it.each(selected.map((each) => [each.id, each] as const))('%s', async (id, each) => {
    const golden = await goldenTensors(`pipelines/${id}.safetensors`)
    const pipe = await pipelineOf(each)
    const { images: latents } = await (pipe as StableDiffusionPipeline).run({
      ...callOptions(each),
      outputType: 'latent',
    })
    expectClose(latents, golden.latents, latentTolerance, 'latents')
    const { images } = await (pipe as StableDiffusionPipeline).run({ ...callOptions(each), outputType: 'tensor' })
    expect(difference(images as Tensor, golden.image).largest).toBeLessThanOrEqual(imageTolerance)
    await pipe.dispose()
  })
})
