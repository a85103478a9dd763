import { type Command, InvalidArgumentError, Option } from 'commander'
import { type ComputeType, createScheduler, type Device } from '../node'
import { plainMessage } from './perform'

/** The options that all drawing commands have, parsed. */
export interface DrawingOptions {
  readonly model?: string
  readonly revision?: string
  readonly variant?: string
  readonly device: Device | 'auto'
  readonly dtype: ComputeType | 'auto'
  readonly threads?: number
  readonly lowMemory?: boolean
  readonly scheduler?: string
  readonly steps: number
  readonly guidance: number
  readonly negative?: string
  readonly seed?: bigint
  readonly width?: number
  readonly height?: number
  readonly count: number
  readonly output?: string
  readonly force?: boolean
  readonly quiet?: boolean
  readonly json?: boolean
  readonly debug?: boolean
}

/** Adds the options of {@link DrawingOptions}, those of the picture first. */
export function addDrawingOptions(command: Command, sizes: { width: string; height: string }): Command {
  const device = new Option('--device <name>', 'where to compute')
  const dtype = new Option('--dtype <type>', 'what to compute in; auto is fp32 on a CPU')
  return command
    .option('--negative <text>', 'what to keep out of the picture')
    .option('--steps <n>', 'denoising steps', integerFrom(1), 25)
    .option('--guidance <x>', 'how closely to follow the prompt; up to 1 turns guidance off', numberIn(0, 1000), 7.5)
    .option('--seed <n>', 'the same seed gives the same picture; each further picture has the next seed', seed)
    .option('--count <n>', 'how many pictures to draw', integerFrom(1), 1)
    .option('--width <pixels>', sizes.width, integerFrom(8))
    .option('--height <pixels>', sizes.height, integerFrom(8))
    .option(
      '--scheduler <name>',
      'such as "dpm++ 2m karras", "euler a", DDIMScheduler (default: the model\'s)',
      scheduler,
    )
    .option(
      '--model <name>',
      'a folder or a repository of the Hugging Face Hub (default: tiny-shapes, which comes along)',
    )
    .option('--revision <name>', "a branch, tag or commit of the model's repository (default: main)")
    .option('--variant <name>', "the variant of the model's weights, such as fp16")
    .addOption(device.choices(['auto', 'cpu', 'cuda', 'webgpu', 'dml', 'coreml']).default('auto'))
    .addOption(dtype.choices(['auto', 'fp32', 'fp16']).default('auto'))
    .option('--threads <n>', 'threads on a CPU (default: one for each core)', integerFrom(1))
    .option('--low-memory', 'hold only the network in memory that is computing')
    .option('-o, --output <path>', 'a file, a folder, or a name with {prompt}, {seed} or {index} in it')
    .option('-f, --force', 'replace files that are there')
    .option('-q, --quiet', 'print nothing but the result and errors')
    .option('--json', 'print the result as JSON')
    .option('--debug', 'print where an error happened')
}

/** A parser of whole numbers. */
function integerFrom(lowest: number): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (/^\d+$/.test(text) && Number.isSafeInteger(value) && value >= lowest) return value
    throw new InvalidArgumentError(`Expected a whole number, ${lowest} or more.`)
  }
}

/** A parser of numbers in a range, both ends included. */
export function numberIn(low: number, high: number): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (text.trim() !== '' && value >= low && value <= high) return value
    throw new InvalidArgumentError(`Expected a number from ${low} to ${high}.`)
  }
}

function seed(text: string): bigint {
  const value = /^\d+$/.test(text) ? BigInt(text) : -1n
  if (value >= 0n && value < 2n ** 64n) return value
  throw new InvalidArgumentError('Expected a whole number from 0 to 2^64 - 1.')
}

function scheduler(name: string): string {
  try {
    createScheduler(name)
    return name
  } catch (error) {
    throw new InvalidArgumentError(error instanceof Error ? plainMessage(error) : String(error))
  }
}
