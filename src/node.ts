import { openRepository } from './platform/node/hub'
import { createNodeImages } from './platform/node/images'
import { OnnxRuntimeNodeBackend } from './platform/node/onnxruntime'
import { env } from './runtime/env'

export * from './index'
export type { DiskCache } from './platform/node/disk-cache'
export { localRepository, openFile } from './platform/node/files'
export { diskCache, type NodeRepositoryOptions, openHubRepository, openRepository } from './platform/node/hub'
export { OnnxRuntimeNodeBackend } from './platform/node/onnxruntime'

env.backend ??= new OnnxRuntimeNodeBackend()
env.images ??= createNodeImages()
env.openRepository ??= openRepository
