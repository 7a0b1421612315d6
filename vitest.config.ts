import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  resolve: { conditions: ['quorate-source', 'node'] },
  ssr: { resolve: { conditions: ['quorate-source', 'node'] } },
  test: {
    include: ['test/**/*.test.ts', 'contracts/**/*.test.ts', 'templates/**/*.test.ts'],
    testTimeout: 30_000,
    hookTimeout: 30_000,
    maxWorkers: 2,
    // Nodes and commands that tests start as processes find their code compiled, where a devnet keeps it too.
    env: { NODE_COMPILE_CACHE: fileURLToPath(new URL('node_modules/.cache/quorate', import.meta.url)) },
  },
})
