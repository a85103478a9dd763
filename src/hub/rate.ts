import type { ProgressListener } from '../core/progress'

/** How often a listener hears of one file at most, in milliseconds. */
const INTERVAL = 100
/** The span over which the rate is averaged, in milliseconds. */
const WINDOW = 5000

/** Tells a listener how much of a file is there, and how fast it arrives: the average of the last seconds. */
export class DownloadProgress {
  readonly #file: string
  readonly #total: number
  readonly #listener?: ProgressListener
  /** Moments of the last seconds: when, and how much was there. */
  readonly #marks: { readonly time: number; readonly loaded: number }[] = []
  #told = Number.NEGATIVE_INFINITY

  constructor(file: string, total: number, listener?: ProgressListener) {
    this.#file = file
    this.#total = total
    this.#listener = listener
  }

  /** An attempt begins with `loaded` bytes there: what was measured before says nothing about it. */
  start(loaded: number): void {
    this.#marks.length = 0
    this.#tell(loaded, performance.now())
  }

  /** `loaded` bytes are there now. */
  update(loaded: number): void {
    const time = performance.now()
    if (time - this.#told >= INTERVAL || loaded === this.#total) this.#tell(loaded, time)
  }

  #tell(loaded: number, time: number): void {
    this.#told = time
    this.#marks.push({ time, loaded })
    while (this.#marks.length > 2 && time - this.#marks[1].time >= WINDOW) this.#marks.shift()
    const [first] = this.#marks
    const seconds = (time - first.time) / 1000
    this.#listener?.({
      kind: 'download',
      file: this.#file,
      loaded,
      total: this.#total,
      bytesPerSecond: seconds > 0 ? (loaded - first.loaded) / seconds : undefined,
    })
  }
}
