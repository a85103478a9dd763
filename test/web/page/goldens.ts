import { type Device, httpRepository, StableDiffusionPipeline, type Tensor } from '../../../src/web'
import { drawCase, type GoldenCase } from '../golden-case'

/** A tensor as it travels from the page to the test. */
export interface Numbers {
  readonly dims: readonly number[]
  readonly data: readonly number[]
}

const numbers = ({ dims, data }: Tensor): Numbers => ({ dims, data: Array.from(data as Float32Array) })
const goldens = '/fixtures/goldens/pipelines'
const loaded = new Map<string, Promise<StableDiffusionPipeline>>()

/** Draws a golden case; its repository stays loaded. */
export async function runGolden(id: string, device: Device): Promise<{ latents: Numbers; image: Numbers }> {
  const { cases } = (await (await fetch(`${goldens}/cases.json`)).json()) as { cases: GoldenCase[] }
  const golden = cases.find((each) => each.id === id)
  if (!golden) throw new Error(`there is no case ${id}`)
  const key = `${golden.repo} on ${device}`
  const repository = httpRepository(`/fixtures/models/${golden.repo}`)
  const pipe = loaded.get(key) ?? StableDiffusionPipeline.fromPretrained(repository, { device, dtype: 'fp32' })
  loaded.set(key, pipe)
  const { latents, image } = await drawCase(golden, await pipe, goldens)
  return { latents: numbers(latents), image: numbers(image) }
}
