import { createWebImages } from './platform/web/images'
import { OnnxRuntimeWebBackend } from './platform/web/onnxruntime'
import { openRepository } from './platform/web/repository'
import { env } from './runtime/env'

export * from './index'
export { type HttpOptions, httpRepository } from './platform/web/http'
export { OnnxRuntimeWebBackend } from './platform/web/onnxruntime'
export { openRepository } from './platform/web/repository'

env.backend ??= new OnnxRuntimeWebBackend()
env.images ??= createWebImages()
env.openRepository ??= openRepository
