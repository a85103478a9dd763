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

/** The pipelines of `latentkit`, each in a worker of its own; see `docs/worker.md`. */
export const { StableDiffusionPipeline, StableDiffusionImg2ImgPipeline, DiffusionPipeline } =
  remotePipelines(startWebWorker)
