import { remotePipelines } from './pipelines/remote/remote-pipelines'
import { createNodeImages } from './platform/node/images'
import { startWorkerThread } from './platform/node/worker'
import { env } from './runtime/env'

export type { RemotePipeline, SchedulerSettings, TransferOptions } from './pipelines/remote/remote-pipeline'
export type {
  AnyRemotePipeline,
  RemoteLoadOptions,
  RemotePipelineClass,
  RemotePipelines,
} from './pipelines/remote/remote-pipelines'
export { env }

// Pictures that come from a thread are saved and encoded here.
env.images ??= createNodeImages()

// Of the same kind as this file: built, or a source.
const script = import.meta.url.endsWith('.ts') ? './worker-thread.ts' : './worker-thread.js'
const startThread = () => startWorkerThread(new URL(script, import.meta.url))

/** The pipelines of `latentkit`, each in a thread of its own; see `docs/worker.md`. */
export const { StableDiffusionPipeline, StableDiffusionImg2ImgPipeline, DiffusionPipeline } =
  remotePipelines(startThread)
