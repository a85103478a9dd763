import { defineConfig, type Options } from 'tsup'

const shared: Options = {
  outDir: process.env.LATENTKIT_OUT ?? 'dist',
  target: 'es2022',
  platform: 'neutral',
  external: [/^node:/],
  removeNodeProtocol: false,
  skipNodeModulesBundle: true,
  sourcemap: true,
  // Each config would delete what the other has written: the build script empties dist once.
  clean: false,
}

const library = { index: 'src/index.ts', node: 'src/node.ts', web: 'src/web.ts', worker: 'src/worker.ts' }
/** Browsers start module workers: there is no other form of it. */
const webWorker = { 'worker-web': 'src/worker-web.ts' }

// The modules themselves are made by rolldown.
export default defineConfig([
  { ...shared, format: 'esm', entry: library, dts: { entry: { ...library, ...webWorker }, only: true } },
  // With splitting, what is required under two names shares chunks, so there is one class of each name.
  { ...shared, format: 'cjs', entry: library, shims: true, splitting: true, dts: { entry: library } },
])
