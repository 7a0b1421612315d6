import { defineConfig } from 'vitest/config'

export default defineConfig({
  resolve: { conditions: ['quorate-source', 'node'] },
  ssr: { resolve: { conditions: ['quorate-source', 'node'] } },
  test: {
    include: ['test/**/*.test.ts', 'contracts/**/*.test.ts', 'templates/**/*.test.ts'],
    testTimeout: 30_000,
    hookTimeout: 30_000,
    maxWorkers: 2,
  },
})
