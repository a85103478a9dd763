import type { Command } from 'commander'
import { StableDiffusionPipeline } from '../node'
import { draw } from './draw'
import { addDrawingOptions, type DrawingOptions } from './options'
import { perform } from './perform'

const examples = `
Examples:
  $ latentkit txt2img "a red star on a blue background"
  $ latentkit txt2img "a cat in the snow" --model ./stable-diffusion-v1-5 --scheduler "dpm++ 2m karras" --seed 42
  $ latentkit txt2img "a green heart" --count 4 --output "hearts/{seed}.png"
  $ latentkit txt2img "a green heart" --json | jq -r ".files[].path"`

/** Adds the command that draws a text. */
export function addTxt2Img(program: Command): void {
  const command = program.command('txt2img').description('draw what a text says').argument('<prompt>', 'what to draw')
  const sizes = {
    width: "the picture's width (default: the model's)",
    height: "the picture's height (default: the model's)",
  }
  addDrawingOptions(command, sizes)
    .addHelpText('after', examples)
    .action((prompt: string, options: DrawingOptions) =>
      perform(options, (signal) =>
        draw({
          prompt,
          options,
          signal,
          load: (source, loading) => StableDiffusionPipeline.fromPretrained(source, loading),
          run: (pipe, call) => pipe.run({ ...call, width: options.width, height: options.height }),
        }),
      ),
    )
}
