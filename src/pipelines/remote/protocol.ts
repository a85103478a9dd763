import type { ProgressEvent } from '../../core/progress'
import type { Environment } from '../../runtime/env'

/** One end of a line between two threads, in the manner of a `MessagePort`. */
export interface Port {
  /** Sends a message, and with it the memory of `transfer`, which is empty here from then on. */
  postMessage(message: unknown, transfer: readonly ArrayBuffer[]): void
  /** Names who receives the messages of the other end; called once. */
  onMessage(listener: (message: unknown) => void): void
}

/** The end of the line to a thread that holds pipelines. */
export interface Thread extends Port {
  /** Names who is told when the thread ended without being asked, and why; called once. */
  onEnd(listener: (cause: unknown) => void): void
  /** What the thread takes over of this one's {@link Environment} beside what all take over; absent: nothing. */
  readonly environment?: Partial<Environment>
  /** Whether something is waited for: an idle thread does not keep the process alive. */
  hold(isBusy: boolean): void
  /** Ends the thread and its memory. */
  end(): Promise<void>
}

/** What one run is told, listeners apart. */
export interface RunRequest {
  readonly pipeline: number
  /** The config of the scheduler. */
  readonly scheduler: object
  /** The options, packed. */
  readonly options: unknown
  /** Whether there is an `onStepEnd`, which the run has to wait for. */
  readonly listens: boolean
}

/** What a thread can be asked for. Pipelines and requests have numbers, which the asking side gives. */
export type Request =
  | {
      readonly kind: 'load'
      readonly pipeline: number
      readonly className: string
      readonly source: string
      /** The options, packed. */
      readonly options: unknown
      /** The parts of the environment that are plain values, packed. */
      readonly environment: unknown
      /** The config of a scheduler to take instead of the repository's. */
      readonly scheduler?: object
    }
  | { readonly kind: 'share'; readonly pipeline: number; readonly from: number; readonly className: string }
  | ({ readonly kind: 'run' } & RunRequest)
  /** Begins a run whose steps are asked for one by one, and asks for the first. */
  | ({ readonly kind: 'stream' } & RunRequest)
  | { readonly kind: 'next'; readonly stream: number }
  | { readonly kind: 'return'; readonly stream: number }
  | { readonly kind: 'decode'; readonly pipeline: number; readonly latents: unknown }
  | { readonly kind: 'dispose'; readonly pipeline: number }

/** What `stream` and `next` give: a step or, at the end, what `run` gives. */
export interface Next {
  readonly done: boolean
  readonly value: unknown
}

/** What `load` gives. */
export interface Loaded {
  readonly className: string
  /** The config of the scheduler. */
  readonly scheduler: object
}

/** To the thread. */
export type ClientMessage =
  | { readonly type: 'request'; readonly id: number; readonly request: Request }
  | { readonly type: 'abort'; readonly id: number }
  /** What `onStepEnd` returned. */
  | { readonly type: 'answer'; readonly id: number; readonly value: unknown }

/** From the thread; `id` is that of the request, or of the run that the listeners belong to. */
export type HostMessage =
  | { readonly type: 'result'; readonly id: number; readonly value: unknown }
  | { readonly type: 'error'; readonly id: number; readonly error: unknown }
  | { readonly type: 'progress'; readonly id: number; readonly event: ProgressEvent }
  | { readonly type: 'step'; readonly id: number; readonly step: unknown }
  /** The states of the caller's generators after a run: there they go on from here. */
  | { readonly type: 'generators'; readonly id: number; readonly states: readonly Float64Array[] }
