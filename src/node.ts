export * from './index'
export { localRepository, openFile } from './platform/node/files'
