import { createWebImages } from './platform/web/images'
import { OnnxRuntimeWebBackend } from './platform/web/onnxruntime'
import { env } from './runtime/env'

export * from './index'
export { type HttpOptions, httpRepository } from './platform/web/http'
export { OnnxRuntimeWebBackend } from './platform/web/onnxruntime'
export {
  browserCache,
  listStored,
  openRepository,
  removeStored,
  type StoredModel,
  type WebRepositoryOptions,
} from './platform/web/repository'
export { persistStorage } from './platform/web/storage'
export { WebCache } from './platform/web/storage-cache'

env.backend ??= new OnnxRuntimeWebBackend()
env.images ??= createWebImages()
// Storage and the Hub are much code: a page that only takes a scheduler does without.
env.openRepository ??= async (source, options) =>
  (await import('./platform/web/repository')).openRepository(source, options)
