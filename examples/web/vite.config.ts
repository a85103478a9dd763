import { fileURLToPath } from 'node:url'
import { defineConfig, type Plugin } from 'vite'

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url))

/** With these a page may share memory between threads: WASM then uses all cores. */
const headers = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
}

/** package.json says which files matter for what they do when loaded, but knows only those in dist. */
const loadedForEffect: Plugin = {
  name: 'loaded-for-effect',
  transform: (code, id) =>
    /\/(?:examples\/web|src)\/[^/]+\.ts$/.test(id) ? { code, map: null, moduleSideEffects: true } : null,
}

export default defineConfig({
  plugins: [loadedForEffect],
  root: path('.'),
  base: './',
  // The embedded model, at ./tiny-shapes/.
  publicDir: path('../../models'),
  resolve: {
    alias: {
      'latentkit/worker': path('../../src/worker-web.ts'),
      latentkit: path('../../src/web.ts'),
      '#huggingface-hub': '@huggingface/hub',
    },
  },
  server: { headers },
  preview: { headers },
  worker: { format: 'es', plugins: () => [loadedForEffect] },
  build: {
    target: 'es2022',
    outDir: path('../../out/demo-web'),
    emptyOutDir: true,
    rollupOptions: {
      input: { page: path('index.html'), sw: path('sw.js') },
      // A service worker serves the folder that it lies in.
      output: { entryFileNames: ({ name }) => (name === 'sw' ? 'sw.js' : 'assets/[name]-[hash].js') },
    },
  },
})
