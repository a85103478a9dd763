import { localRepository } from './platform/node/files'
import { createNodeImages } from './platform/node/images'
import { OnnxRuntimeNodeBackend } from './platform/node/onnxruntime'
import { env } from './runtime/env'

export * from './index'
export { localRepository, openFile } from './platform/node/files'
export { OnnxRuntimeNodeBackend } from './platform/node/onnxruntime'

env.backend ??= new OnnxRuntimeNodeBackend()
env.images ??= createNodeImages()
env.openRepository ??= async (source) => localRepository(source)
