import {
  type Device,
  Generator,
  httpRepository,
  StableDiffusionImg2ImgPipeline,
  StableDiffusionPipeline,
  schedulerFromConfig,
  type Tensor,
} from '../../../src/web'

/** A tensor as it travels from the page to the test. */
export interface Numbers {
  readonly dims: readonly number[]
  readonly data: readonly number[]
}

interface Case {
  readonly id: string
  readonly repo: string
  readonly pipeline: string
  readonly call: Readonly<Record<string, unknown>>
  readonly seed: number
  readonly scheduler: { readonly class: string; readonly overrides: object } | null
}

const numbers = ({ dims, data }: Tensor): Numbers => ({ dims, data: Array.from(data as Float32Array) })
const camelCase = (name: string) => name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())

const loaded = new Map<string, Promise<StableDiffusionPipeline>>()

/** The pipeline of a tiny repository, loaded once. */
export function tinyPipeline(repo: string, device: Device): Promise<StableDiffusionPipeline> {
  const key = `${repo} on ${device}`
  const pipe =
    loaded.get(key) ??
    StableDiffusionPipeline.fromPretrained(httpRepository(`/fixtures/models/${repo}`), { device, dtype: 'fp32' })
  loaded.set(key, pipe)
  return pipe
}

/** Runs a golden case of the pipelines: the latents of its last step, and the picture. */
export async function runGolden(id: string, device: Device): Promise<{ latents: Numbers; image: Numbers }> {
  const response = await fetch('/fixtures/goldens/pipelines/cases.json')
  const { cases } = (await response.json()) as { cases: Case[] }
  const golden = cases.find((each) => each.id === id)
  if (!golden) throw new Error(`there is no case ${id}`)
  const options = Object.fromEntries(Object.entries(golden.call).map(([key, value]) => [camelCase(key), value]))
  if (typeof options.image === 'string') options.image = `/fixtures/goldens/pipelines/${options.image}`
  const whole = await tinyPipeline(golden.repo, device)
  const { config } = whole.scheduler
  const scheduler = golden.scheduler
    ? schedulerFromConfig({ ...config, _className: golden.scheduler.class }, golden.scheduler.overrides)
    : whole.scheduler
  const pipe =
    golden.pipeline === 'StableDiffusionImg2ImgPipeline'
      ? StableDiffusionImg2ImgPipeline.fromPipe(whole, { scheduler })
      : StableDiffusionPipeline.fromPipe(whole, { scheduler })
  let latents: Tensor | undefined
  const { images } = await (pipe as StableDiffusionPipeline).run({
    ...(options as { prompt: string }),
    generator: new Generator(golden.seed),
    outputType: 'tensor',
    onStepEnd: (step) => {
      latents = step.latents
      return undefined
    },
  })
  await pipe.dispose()
  if (!latents) throw new Error(`${id} took no step`)
  return { latents: numbers(latents), image: numbers(images) }
}
