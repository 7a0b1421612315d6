// Every planted mutant is noticed: what the simulator would not notice, it does not test.
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import type { MutantOutcome } from './mutant-child.ts'
import { MUTANTS } from './mutants.ts'

const run = promisify(execFile)
const child = fileURLToPath(new URL('./mutant-child.ts', import.meta.url))
async function plant(name: string): Promise<MutantOutcome> {
  const { stdout } = await run(process.execPath, [child, name])
  return JSON.parse(stdout) as MutantOutcome
}

describe('a mutant', () => {
  it.concurrent.each(MUTANTS.map(({ name }) => name))(
    'is found: %s',
    async (name) => {
      const outcome = await plant(name)
      expect(outcome.isPlanted, 'its text is in the source exactly once').toBe(true)
      expect(outcome.rule, 'no seed of its budget broke a rule').not.toBeNull()
    },
    120_000,
  )
})
