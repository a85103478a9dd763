import { remotePipelines } from './pipelines/remote/remote-pipelines'
import { createWebImages } from './platform/web/images'
import { startWebWorker } from './platform/web/worker'
import { env } from './runtime/env'

export type { RemotePipeline, SchedulerSettings, TransferOptions } from './pipelines/remote/remote-pipeline'
export type {
  AnyRemotePipeline,
  RemoteLoadOptions,
  RemotePipelineClass,
  RemotePipelines,
} from './pipelines/remote/remote-pipelines'
export { env }

// Pictures that come from a worker are encoded here.
env.images ??= createWebImages()

const pipelines = remotePipelines(startWebWorker)

/** `StableDiffusionPipeline` of `latentkit`, in a worker of its own; see `docs/worker.md`. */
export const StableDiffusionPipeline = pipelines.StableDiffusionPipeline

/** `StableDiffusionImg2ImgPipeline` of `latentkit`, in a worker of its own; see `docs/worker.md`. */
export const StableDiffusionImg2ImgPipeline = pipelines.StableDiffusionImg2ImgPipeline

/** `DiffusionPipeline` of `latentkit`, in a worker of its own; see `docs/worker.md`. */
export const DiffusionPipeline = pipelines.DiffusionPipeline
