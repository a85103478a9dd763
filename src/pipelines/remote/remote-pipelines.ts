import { InvalidArgumentError } from '../../core/errors'
import { env } from '../../runtime/env'
import type { CallOptions } from '../call-options'
import type { pipelines } from '../diffusion-pipeline'
import type { LoadOptions } from '../load'
import type { StableDiffusionOptions } from '../stable-diffusion'
import type { StableDiffusionImg2ImgOptions } from '../stable-diffusion-img2img'
import { Connection } from './connection'
import { pack } from './packing'
import type { Loaded, Thread } from './protocol'
import { RemoteCall } from './remote-call'
import { RemotePipeline, type SchedulerSettings } from './remote-pipeline'

/** What lives in one thread and cannot be handed to another. */
const LOCAL = ['backend', 'fetch', 'tokenizer', 'textEncoder', 'unet', 'vae'] as const

/** Options of `fromPretrained` for a pipeline in another thread: those that can go there. */
export interface RemoteLoadOptions extends Omit<LoadOptions, (typeof LOCAL)[number] | 'scheduler'> {
  /** Instead of the repository's scheduler. */
  readonly scheduler?: SchedulerSettings
}

/** A class of pipelines that live in a thread each. */
export interface RemotePipelineClass<O extends CallOptions> {
  /** The class's name, as `model_index.json` spells it. */
  readonly className: string
  /**
   * Loads a repository in a new thread.
   *
   * @param source - A folder or a Hub repository's id.
   * @throws InvalidArgumentError for options that cannot leave their thread: `backend`, `fetch`, components.
   * @throws LatentkitError whatever the pipeline's own `fromPretrained` throws.
   */
  fromPretrained(source: string, options?: RemoteLoadOptions): Promise<RemotePipeline<O>>
  /** A pipeline over the components of another, in its thread; the scheduler is the other's unless given. */
  fromPipe<P extends CallOptions>(
    pipe: RemotePipeline<P>,
    options?: { readonly scheduler?: SchedulerSettings },
  ): RemotePipeline<O>
}

/** The classes of pipelines, by name. */
export interface RemotePipelines extends Record<keyof typeof pipelines, unknown> {
  readonly StableDiffusionPipeline: RemotePipelineClass<StableDiffusionOptions>
  readonly StableDiffusionImg2ImgPipeline: RemotePipelineClass<StableDiffusionImg2ImgOptions>
  /** The class that the repository's `model_index.json` names; `className` of the pipeline tells which. */
  readonly DiffusionPipeline: {
    /** As {@link RemotePipelineClass.fromPretrained}. */
    fromPretrained(source: string, options?: RemoteLoadOptions): Promise<AnyRemotePipeline>
  }
}

/** Any pipeline in a thread. */
export type AnyRemotePipeline = RemotePipeline<StableDiffusionOptions> | RemotePipeline<StableDiffusionImg2ImgOptions>

/**
 * The pipelines of threads.
 *
 * @param startThread - Starts a thread in which `servePipelines` answers.
 */
export function remotePipelines(startThread: () => Thread): RemotePipelines {
  const load = async <O extends CallOptions>(className: string, source: string, options: RemoteLoadOptions = {}) => {
    checkOptions(className, source, { ...options })
    options.signal?.throwIfAborted()
    const thread = startThread()
    const connection = new Connection(thread)
    const { onProgress, signal, scheduler, ...others } = options
    const call = new RemoteCall(connection, { onProgress, signal })
    const pipeline = connection.number()
    const { threads, wasmPaths, baseUrl } = { ...env, ...thread.environment }
    const environment = pack({ threads, wasmPaths, baseUrl })
    const request = { pipeline, className, source, options: pack(others), environment, scheduler: scheduler?.config }
    try {
      const loaded = (await call.begin({ kind: 'load', ...request })) as Loaded
      const line = { connection, owners: new Set<object>() }
      return new RemotePipeline<O>(line, pipeline, loaded.className, scheduler ?? { config: loaded.scheduler })
    } catch (error) {
      await connection.end()
      throw error
    } finally {
      call.end()
    }
  }

  const share = <O extends CallOptions, P extends CallOptions>(
    className: string,
    from: RemotePipeline<P>,
    scheduler: SchedulerSettings,
  ) => {
    const line = from.connected()
    const pipe = new RemotePipeline<O>(line, line.connection.number(), className, scheduler)
    // It fails only together with the thread, and what is asked of the pipeline then tells so.
    void line.connection.request({ kind: 'share', pipeline: pipe.id, from: from.id, className }).catch(() => undefined)
    return pipe
  }

  const remoteClass = <O extends CallOptions>(className: string): RemotePipelineClass<O> => ({
    className,
    fromPretrained: (source, options) => load<O>(className, source, options),
    fromPipe: (pipe, { scheduler = pipe.scheduler } = {}) => share<O, CallOptions>(className, pipe, scheduler),
  })
  return {
    StableDiffusionPipeline: remoteClass('StableDiffusionPipeline'),
    StableDiffusionImg2ImgPipeline: remoteClass('StableDiffusionImg2ImgPipeline'),
    DiffusionPipeline: { fromPretrained: (source, options) => load('DiffusionPipeline', source, options) },
  }
}

function checkOptions(className: string, source: unknown, options: Readonly<Record<string, unknown>>): void {
  if (typeof source !== 'string') {
    const expected = 'the name of a folder or of a repository: an opened Repository cannot go to a worker'
    throw new InvalidArgumentError(className, `source: got ${typeof source}, expected ${expected}`)
  }
  for (const name of LOCAL) {
    if (options[name] === undefined) continue
    const expected = 'none: it cannot go to a worker, which has its own'
    throw new InvalidArgumentError(className, `${name}: got one, expected ${expected}`)
  }
}
