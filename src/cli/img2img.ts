import type { Command } from 'commander'
import { RawImage, StableDiffusionImg2ImgPipeline } from '../node'
import { draw } from './draw'
import { addDrawingOptions, type DrawingOptions, numberIn } from './options'
import { perform } from './perform'

const examples = `
Examples:
  $ latentkit img2img "a pink diamond on a green background" --init-img star.png
  $ latentkit img2img "an oil painting of a harbour" --init-img photo.jpg --strength 0.6 --width 512 --model ./my-model`

interface Img2ImgOptions extends DrawingOptions {
  readonly initImg: string
  readonly strength: number
}

/** Adds the command that draws a text over a picture. */
export function addImg2Img(program: Command): void {
  const command = program
    .command('img2img')
    .description('draw what a text says, starting from a picture')
    .argument('<prompt>', 'what to draw')
    .requiredOption('--init-img <file>', 'the picture to start from: PNG, JPEG or WebP; a path or URL')
    .option('--strength <x>', 'how much of it to make anew, up to 1', numberIn(0, 1), 0.8)
  const sizes = { width: 'resize the picture to this width first', height: 'resize the picture to this height first' }
  addDrawingOptions(command, sizes)
    .addHelpText('after', examples)
    .action((prompt: string, options: Img2ImgOptions) =>
      perform(options, async (signal) => {
        const { initImg, strength } = options
        const image = resized(await RawImage.read(initImg, { signal }), options)
        await draw({
          prompt,
          options,
          signal,
          load: (source, loading) => StableDiffusionImg2ImgPipeline.fromPretrained(source, loading),
          run: (pipe, call) => pipe.run({ ...call, image, strength }),
        })
      }),
    )
}

/** The picture in the size asked for; with one side given, the other keeps the proportions. */
function resized(image: RawImage, { width, height }: DrawingOptions): RawImage {
  if (width === undefined && height === undefined) return image
  const scale = (width ?? 0) / image.width || (height ?? 0) / image.height
  const proportional = (side: number) => Math.max(Math.round((side * scale) / 8), 1) * 8
  return image.resize(width ?? proportional(image.width), height ?? proportional(image.height))
}
