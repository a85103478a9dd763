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

const library = { index: 'src/index.ts', node: 'src/node.ts' }

export default defineConfig([
  // One config for all ESM entries: with splitting they share chunks, so there is one class of each name.
  {
    ...shared,
    format: 'esm',
    entry: { ...library, 'cli/main': 'src/cli/main.ts' },
    splitting: true,
    dts: { entry: library },
  },
  { ...shared, format: 'cjs', entry: library, shims: true, dts: { entry: library } },
])
