#!/usr/bin/env node
import { Command, CommanderError } from 'commander'
import { addCache } from './cache'
import { addDownload } from './download'
import { addImg2Img } from './img2img'
import { version } from './package'
import { EXIT_USAGE } from './perform'
import { addTxt2Img } from './txt2img'

const program = new Command('latentkit')
  .description('Draws pictures with Stable Diffusion.')
  .version(version)
  .showHelpAfterError('(--help lists the options)')
  // Commander's own status for a wrong command line is 1, which here means that the work failed.
  .exitOverride()
  .addHelpText('after', '\nlatentkit help <command> shows the options of a command.')

addTxt2Img(program)
addImg2Img(program)
addDownload(program)
addCache(program)

try {
  await program.parseAsync()
} catch (error) {
  if (!(error instanceof CommanderError)) throw error
  process.exitCode = error.exitCode === 0 ? 0 : EXIT_USAGE
}
