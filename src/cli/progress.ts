import cliProgress from 'cli-progress'
import type { ProgressEvent, ProgressListener } from '../node'

/** On what is no terminal, a line at most this often, in milliseconds. */
const LINE_INTERVAL = 10_000
const BAR_WIDTH = 30

/** Shows how far a long operation is: a bar with the time left on a terminal, now and then a line elsewhere. */
export class Progress {
  private bar?: cliProgress.SingleBar
  private begin = 0
  private lastLine = 0
  private readonly files = new Map<string, { loaded: number; total: number }>()

  /** @param stream - Where to show it; absent: nowhere. */
  constructor(private readonly stream?: NodeJS.WriteStream) {}

  /** Shows an operation until it is done; `text` says what it is before {@link listener} knows more. */
  async during<T>(text: string, operation: Promise<T>): Promise<T> {
    this.begin = performance.now()
    this.lastLine = this.begin
    this.files.clear()
    if (this.stream?.isTTY) {
      this.bar = createBar(this.stream)
      this.bar.start(1, 0, { text })
    }
    try {
      return await operation
    } finally {
      this.bar?.stop()
    }
  }

  /** What a pipeline's `onProgress` takes. */
  readonly listener: ProgressListener = (event) => {
    const { loaded, total, text } = this.describe(event)
    if (this.bar) {
      this.bar.setTotal(total)
      this.bar.update(loaded, { text })
    } else if (this.stream && performance.now() - this.lastLine > LINE_INTERVAL) {
      this.lastLine = performance.now()
      this.stream.write(`${text}\n`)
    }
  }

  private describe(event: ProgressEvent): { loaded: number; total: number; text: string } {
    const { kind, loaded, total = loaded } = event
    if (kind === 'load') return { loaded, total, text: `loading ${event.component}` }
    if (kind === 'step') return { loaded, total, text: `step ${loaded} of ${total}${this.timeLeft(loaded, total)}` }
    this.files.set(event.file, { loaded, total })
    const sum = { loaded: 0, total: 0 }
    for (const file of this.files.values()) {
      sum.loaded += file.loaded
      sum.total += file.total
    }
    const left = this.timeLeft(sum.loaded, sum.total)
    return { ...sum, text: `downloading ${megabytes(sum.loaded)} of ${megabytes(sum.total)}${left}` }
  }

  private timeLeft(loaded: number, total: number): string {
    if (loaded === 0 || loaded >= total) return ''
    return `, ${duration(((performance.now() - this.begin) / loaded) * (total - loaded))} left`
  }
}

function createBar(stream: NodeJS.WriteStream): cliProgress.SingleBar {
  const format: cliProgress.GenericFormatter = (_options, { progress }, { text }) => {
    const filled = Math.round(progress * BAR_WIDTH)
    return `${'█'.repeat(filled)}${'░'.repeat(BAR_WIDTH - filled)} ${text}`
  }
  return new cliProgress.SingleBar({ stream, format, clearOnComplete: true, hideCursor: true })
}

/** A size for people: `1.2 MB`, `3.44 GB`. */
export function megabytes(bytes: number): string {
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(2)} GB`
}

/** A time for people: `1.2 s`, `34 s`, `2 min 5 s`, `1 h 4 min`. */
export function duration(milliseconds: number): string {
  if (milliseconds < 9950) return `${(milliseconds / 1000).toFixed(1)} s`
  const seconds = Math.round(milliseconds / 1000)
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  return minutes < 60 ? `${minutes} min ${seconds % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}
