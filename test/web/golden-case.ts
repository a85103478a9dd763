import {
  Generator,
  StableDiffusionImg2ImgPipeline,
  StableDiffusionPipeline,
  schedulerFromConfig,
  type Tensor,
} from '../../src/index'

/** A case of the pipelines' goldens (`cases.json`). */
export interface GoldenCase {
  readonly id: string
  readonly repo: string
  readonly pipeline: string
  readonly call: Readonly<Record<string, unknown>>
  readonly seed: number
  readonly scheduler: { readonly class: string; readonly overrides: object } | null
}

const camelCase = (name: string) => name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())

/**
 * Draws a case once: the latents of its last step, and the picture.
 *
 * @param whole - A pipeline of the case's repository.
 * @param folder - Path or address of the folder that the case's images are in.
 */
export async function drawCase(
  golden: GoldenCase,
  whole: StableDiffusionPipeline,
  folder: string,
): Promise<{ latents: Tensor; image: Tensor }> {
  const options = Object.fromEntries(Object.entries(golden.call).map(([key, value]) => [camelCase(key), value]))
  if (typeof options.image === 'string') options.image = `${folder}/${options.image}`
  const { config } = whole.scheduler
  const scheduler = golden.scheduler
    ? schedulerFromConfig({ ...config, _className: golden.scheduler.class }, golden.scheduler.overrides)
    : whole.scheduler
  const pipe =
    golden.pipeline === 'StableDiffusionImg2ImgPipeline'
      ? StableDiffusionImg2ImgPipeline.fromPipe(whole, { scheduler })
      : StableDiffusionPipeline.fromPipe(whole, { scheduler })
  let latents: Tensor | undefined
  const { images: image } = await (pipe as StableDiffusionPipeline).run({
    ...(options as { prompt: string }),
    generator: new Generator(golden.seed),
    outputType: 'tensor',
    onStepEnd: (step) => {
      latents = step.latents
      return undefined
    },
  })
  await pipe.dispose()
  if (!latents) throw new Error(`${golden.id} took no step`)
  return { latents, image }
}
