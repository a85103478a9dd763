import type { Tensor } from 'onnxruntime-common'
import { StateError } from '../../core/errors'
import type { RawImage } from '../../image/raw-image'
import type { CallOptions, OutputType } from '../call-options'
import type { DenoisingStep } from '../denoise'
import type { PipelineOutput, PipelineStep } from '../stable-diffusion-base'
import type { Connection } from './connection'
import { pack } from './packing'
import type { Next, RunRequest } from './protocol'
import { RemoteCall } from './remote-call'

/** A scheduler as a pipeline in another thread needs it: any `Scheduler`, or an object with a config that names its class. */
export interface SchedulerSettings {
  /** The options, with the name of the class: a scheduler's `config`, or the content of a `scheduler_config.json`. */
  readonly config: object
}

/** What a call to another thread takes beside the options of the pipeline. */
export interface TransferOptions {
  /**
   * Memory of the arguments that goes to the other thread instead of being copied, as in `postMessage`: the `buffer`s of
   * images and tensors that are not needed here any more.
   */
  readonly transfer?: readonly ArrayBuffer[]
}

/** The pipelines of one thread that are not disposed of; the last one takes the thread with it. */
export interface Line {
  readonly connection: Connection
  readonly owners: Set<object>
}

/**
 * A pipeline that lives in another thread, with the interface of one in this: what it gives is moved here, what it is
 * given is copied there. `components` are out of reach.
 */
export class RemotePipeline<O extends CallOptions> {
  /**
   * @internal Made by `fromPretrained` and `fromPipe`.
   *
   * @param line - The thread.
   * @param id - Number of the pipeline in its thread.
   * @param className - The class of the pipeline, as `model_index.json` spells it.
   * @param scheduler - The sampling algorithm; assign another one at any time. A run takes it when it begins.
   */
  constructor(
    readonly line: Line,
    readonly id: number,
    readonly className: string,
    public scheduler: SchedulerSettings,
  ) {
    line.owners.add(this)
  }

  /** Draws. */
  async run<T extends OutputType = 'image'>(
    options: O & TransferOptions & { readonly outputType?: T },
  ): Promise<PipelineOutput<T>> {
    const { connection } = this.connected()
    const call = new RemoteCall(connection, options)
    try {
      return (await call.begin({ kind: 'run', ...this.request(options) }, options.transfer)) as PipelineOutput<T>
    } finally {
      call.end()
    }
  }

  /**
   * Draws, step by step: yields after every step and returns what `run` returns. Leaving the loop early ends the call.
   */
  async *stream<T extends OutputType = 'image'>(
    options: O & TransferOptions & { readonly outputType?: T },
  ): AsyncGenerator<PipelineStep, PipelineOutput<T>, undefined> {
    const { connection } = this.connected()
    const call = new RemoteCall(connection, options)
    try {
      let next = (await call.begin({ kind: 'stream', ...this.request(options) }, options.transfer)) as Next
      while (!next.done) {
        const step = next.value as DenoisingStep
        yield { ...step, preview: () => this.decodeLatents(step.predOriginalSample ?? step.latents) }
        next = (await call.ask({ kind: 'next', stream: call.id })) as Next
      }
      return next.value as PipelineOutput<T>
    } finally {
      // A thread that ended has told so already.
      await connection.request({ kind: 'return', stream: call.id }).catch(() => undefined)
      call.end()
    }
  }

  /**
   * The pictures of latents.
   *
   * @param latents - `[pictures, channels, height/8, width/8]`, as `outputType: 'latent'` gives them.
   */
  async decodeLatents(latents: Tensor): Promise<RawImage[]> {
    const { connection } = this.connected()
    return (await connection.request({ kind: 'decode', pipeline: this.id, latents: pack(latents) })) as RawImage[]
  }

  /** Releases what no other pipeline uses; the last pipeline of a thread ends it. A second call does nothing. */
  async dispose(): Promise<void> {
    const { connection, owners } = this.line
    if (!owners.delete(this)) return
    await connection.request({ kind: 'dispose', pipeline: this.id })
    if (owners.size === 0) await connection.end()
  }

  /** As {@link RemotePipeline.dispose}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose()
  }

  /** @internal The thread, as long as the pipeline is not disposed of. */
  connected(): Line {
    if (!this.line.owners.has(this)) throw new StateError('pipeline', 'it was disposed of: load it again')
    return this.line
  }

  private request(options: O & TransferOptions): RunRequest {
    const { onStepEnd, onProgress: _, signal: __, transfer: ___, ...others } = options
    const listens = onStepEnd !== undefined
    return { pipeline: this.id, scheduler: this.scheduler.config, options: pack(others), listens }
  }
}
