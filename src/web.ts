import { createWebImages } from './platform/web/images'
import { OnnxRuntimeWebBackend } from './platform/web/onnxruntime'
import { openRepository } from './platform/web/stored'
import { env } from './runtime/env'

export * from './index'
export { type HttpOptions, httpRepository } from './platform/web/http'
export { OnnxRuntimeWebBackend } from './platform/web/onnxruntime'
export type { StoredModel, WebRepositoryOptions } from './platform/web/repository'
export type { WebCache } from './platform/web/storage-cache'
export { browserCache, listStored, openRepository, persistStorage, removeStored } from './platform/web/stored'

env.backend ??= new OnnxRuntimeWebBackend()
env.images ??= createWebImages()
env.openRepository ??= openRepository
