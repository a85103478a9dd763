// What `#huggingface-hub` is in a browser (see `imports` in package.json). The package's own build for browsers is out of
// esbuild's reach: what latentkit needs of it comes bundled.
export { downloadFile, fileDownloadInfo, listFiles, modelInfo } from '@huggingface/hub'
