import { defineConfig } from 'vitest/config'

// What needs a browser or a GPU: `npm run test:web`. Debian's `chromium` and `libvulkan1` are all it takes.
export default defineConfig({
  test: {
    include: ['test/web/**/*.test.ts'],
    globalSetup: 'test/web/setup.ts',
    testTimeout: 240_000,
    hookTimeout: 120_000,
    pool: 'forks',
    // ONNX Runtime's WebGPU stands one session at a time.
    fileParallelism: false,
  },
})
