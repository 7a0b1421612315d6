// Runs the simulator on sources with one mutant planted as they load, and says whether that was noticed.
import { registerHooks } from 'node:module'
import { fileURLToPath } from 'node:url'
import { MUTANTS } from './mutants.ts'

export interface MutantOutcome {
  /** The text to replace was there exactly once. */
  isPlanted: boolean
  /** The seed that found it. */
  seed: number | null
  rule: string | null
  detail: string | null
}

const mutant = MUTANTS.find(({ name }) => name === process.argv[2])
if (mutant === undefined) throw new Error(`no mutant is named ${JSON.stringify(process.argv[2])}`)
const { file, find, replace, seeds, options } = mutant
const target = new URL(`../../${file}`, import.meta.url).href
const outcome: MutantOutcome = { isPlanted: false, seed: null, rule: null, detail: null }

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context)
    if (url !== target) return loaded
    const source = String(loaded.source)
    outcome.isPlanted = source.split(find).length === 2
    return { ...loaded, source: source.replace(find, () => replace) }
  },
})

const { generateScenario } = await import('../../src/simulator/generate.ts')
const { runScenario } = await import('../../src/simulator/world.ts')
for (let seed = seeds.from; seed < seeds.from + seeds.count && outcome.seed === null; seed++) {
  const { violations } = await runScenario(generateScenario(seed, options))
  const [first] = violations
  if (first === undefined) continue
  outcome.seed = seed
  outcome.rule = first.rule
  outcome.detail = first.detail.split('\n')[0]!.replace(fileURLToPath(new URL('../..', import.meta.url)), '')
}
process.stdout.write(JSON.stringify(outcome))
