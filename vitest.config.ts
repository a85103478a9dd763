import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // What needs a browser or a GPU is in vitest.web.config.ts.
    exclude: ['test/web/**', 'node_modules/**'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // ONNX Runtime holds a native heap a process: forks keep one file's leftovers out of the next.
    pool: 'forks',
    setupFiles: ['test/threads.ts'],
    maxWorkers: 2,
  },
})
