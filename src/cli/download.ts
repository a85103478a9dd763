import cliProgress from 'cli-progress'
import type { Command } from 'commander'
import { openHubRepository, type ProgressEvent } from '../node'
import { perform } from './perform'
import { megabytes } from './progress'

interface DownloadOptions {
  readonly revision?: string
  readonly variant?: string
  readonly cacheDir?: string
  readonly token?: string
  readonly endpoint?: string
  readonly quiet?: boolean
  readonly json?: boolean
  readonly debug?: boolean
}

/** Adds the command that fetches a repository. */
export function addDownload(program: Command): void {
  program
    .command('download')
    .description('fetch what a pipeline needs from the Hugging Face Hub into the cache')
    .argument('<repository>', 'such as stable-diffusion-v1-5/stable-diffusion-v1-5')
    .option('--revision <name>', 'a branch, tag or commit (default: main)')
    .option('--variant <name>', 'the variant of the weights, such as fp16')
    .option('--cache-dir <folder>', "the cache's folder (default: that of Python's huggingface_hub)")
    .option('--token <token>', 'an access token (default: HF_TOKEN, or the one that huggingface-cli stored)')
    .option('--endpoint <url>', 'the Hub or a mirror (default: HF_ENDPOINT, or https://huggingface.co)')
    .option('-q, --quiet', 'print nothing but the result and errors')
    .option('--json', 'print the result as JSON')
    .option('--debug', 'print where an error happened')
    .action((id: string, options: DownloadOptions) => perform(options, (signal) => download(id, options, signal)))
}

async function download(id: string, options: DownloadOptions, signal: AbortSignal): Promise<void> {
  const { revision, variant, cacheDir, token, endpoint, quiet, json } = options
  const bars = quiet ? undefined : new FileBars(process.stderr)
  const onProgress = (event: ProgressEvent) => bars?.show(event)
  const repository = openHubRepository(id, { revision, cacheDir, token, endpoint, update: true, onProgress, signal })
  try {
    const plan = await repository.prefetchPipeline({ variant })
    const paths = [...plan.configs, ...plan.weights]
    let bytes = 0
    for (const path of paths) bytes += (await repository.open(path))?.size ?? 0
    const commit = await repository.commit()
    bars?.stop()
    if (json) console.log(JSON.stringify({ repository: id, commit, bytes, files: paths }))
    else console.log(`${repository.name} (${commit.slice(0, 7)}): ${paths.length} files, ${megabytes(bytes)}`)
  } finally {
    bars?.stop()
  }
}

/** A bar for each file that is on its way on a terminal, a line for each finished file elsewhere. */
class FileBars {
  private readonly bars = new Map<string, cliProgress.SingleBar>()
  private readonly multi?: cliProgress.MultiBar

  constructor(private readonly stream: NodeJS.WriteStream) {
    if (!stream.isTTY) return
    const format = ' {bar} {percentage}% {file}{rate}'
    const preset = cliProgress.Presets.shades_classic
    this.multi = new cliProgress.MultiBar({ stream, format, barsize: 24, hideCursor: true }, preset)
  }

  show(event: ProgressEvent): void {
    if (event.kind !== 'download') return
    const { file, loaded, total = loaded, bytesPerSecond } = event
    const payload = { file, rate: bytesPerSecond && loaded < total ? `, ${megabytes(bytesPerSecond)}/s` : '' }
    const bar = this.bars.get(file)
    if (bar) bar.update(loaded, payload)
    else if (this.multi) this.bars.set(file, this.multi.create(total, loaded, payload))
    else if (loaded === total) this.stream.write(`${file} ${megabytes(total)}\n`)
  }

  stop(): void {
    this.multi?.stop()
  }
}
