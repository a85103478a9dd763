import { defineConfig } from 'vitest/config'

// What needs a browser or a GPU: `npm run test:web`. Debian's `chromium` and `libvulkan1` are all it takes.

/** Most of their time is SwiftShader's, which keeps one core busy: two at once. */
const gpu = ['contract', 'device-loss', 'forms', 'goldens', 'images', 'memory', 'node-webgpu', 'shapes']
const gpuFiles = gpu.map((name) => `test/web/${name}.test.ts`)
const shared = { testTimeout: 400_000, hookTimeout: 120_000, pool: 'forks' as const }

export default defineConfig({
  test: {
    globalSetup: 'test/web/setup.ts',
    projects: [
      { test: { ...shared, name: 'gpu', include: gpuFiles, maxWorkers: 2, sequence: { groupOrder: 0 } } },
      // The others measure what a page is like to use, and want the machine for themselves.
      {
        test: {
          ...shared,
          name: 'page',
          include: ['test/web/**/*.test.ts'],
          exclude: gpuFiles,
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
})
