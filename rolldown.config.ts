import { defineConfig, type RolldownOptions } from 'rolldown'

const out = process.env.LATENTKIT_OUT ?? 'dist'
const entries = {
  index: 'src/index.ts',
  node: 'src/node.ts',
  web: 'src/web.ts',
  worker: 'src/worker.ts',
  'worker-thread': 'src/worker-thread.ts',
  'worker-web': 'src/worker-web.ts',
  'worker-web-thread': 'src/worker-web-thread.ts',
  'cli/main': 'src/cli/main.ts',
}
const actsOnImport = new RegExp(`/(${Object.values(entries).join('|')})$`)

// One module a source file: whoever bundles a page takes the schedulers and networks that it uses, and leaves the rest.
const modules: RolldownOptions = {
  input: entries,
  platform: 'neutral',
  external: /^[^./]/,
  treeshake: { moduleSideEffects: (id) => actsOnImport.test(id.replaceAll('\\', '/')) },
  output: {
    dir: out,
    format: 'esm',
    preserveModules: true,
    preserveModulesRoot: 'src',
    entryFileNames: '[name].js',
    sourcemap: true,
  },
}

// The package's own build for browsers, out of reach for some bundlers.
const huggingFaceHub: RolldownOptions = {
  input: { 'huggingface-hub': 'src/platform/web/huggingface-hub.ts' },
  platform: 'browser',
  output: { dir: out, format: 'esm', codeSplitting: false, sourcemap: true },
}

// For <script type="module"> without a bundler: everything inside but ONNX Runtime, which lies beside latentkit in
// node_modules and on CDNs.
const standalone: RolldownOptions = {
  input: { latentkit: 'src/web.ts' },
  platform: 'browser',
  resolve: { alias: { '#huggingface-hub': '@huggingface/hub' } },
  plugins: [
    {
      name: 'onnxruntime-web-beside',
      resolveId: {
        filter: { id: /^onnxruntime-web\// },
        handler: (id) => ({
          id: `../../../onnxruntime-web/dist/ort.${id.split('/')[1]}.bundle.min.mjs`,
          external: true,
        }),
      },
    },
  ],
  output: {
    dir: `${out}/standalone`,
    format: 'esm',
    chunkFileNames: '[name].js',
    // Names show in errors, and schedulers know each other by theirs.
    minify: { mangle: { keepNames: true } },
    sourcemap: true,
  },
}

export default defineConfig([modules, huggingFaceHub, standalone])
