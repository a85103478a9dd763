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

const pipelines = remotePipelines(startThread)

/** `StableDiffusionPipeline` of `latentkit`, in a thread of its own; see `docs/worker.md`. */
export const StableDiffusionPipeline = pipelines.StableDiffusionPipeline

/** `StableDiffusionImg2ImgPipeline` of `latentkit`, in a thread of its own; see `docs/worker.md`. */
export const StableDiffusionImg2ImgPipeline = pipelines.StableDiffusionImg2ImgPipeline

/** `DiffusionPipeline` of `latentkit`, in a thread of its own; see `docs/worker.md`. */
export const DiffusionPipeline = pipelines.DiffusionPipeline
