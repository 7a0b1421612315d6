// The simulator on the code as it is: seeds without a violation, the same run for the same seed, every crash point, blame when there
// are more liars than the network tolerates, and shrinking.
import { describe, expect, it } from 'vitest'
import { merge, runCampaign, runInWorkers } from '../../src/simulator/campaign.ts'
import { generateScenario } from '../../src/simulator/generate.ts'
import { createRandom } from '../../src/simulator/random.ts'
import {
  BEHAVIOURS,
  byzantineNodes,
  FAULT_TYPES,
  HARM_TYPES,
  harmedNodes,
  type Remains,
  type Scenario,
} from '../../src/simulator/scenario.ts'
import { shrink } from '../../src/simulator/shrink.ts'
import { runScenario } from '../../src/simulator/world.ts'

const campaign = (first: number, count: number, generate = {}) => runCampaign({ first, count, stride: 1, generate })

/** More on demand: `quorate simulate`; docs/simulator.md says which have been run. */
const SEEDS = 1_000
const HARM_SEEDS = 80

describe('seeds', () => {
  it('break no rule', async () => {
    const summary = await campaign(0, SEEDS)
    expect(summary.failures).toEqual([])
    expect(summary.seeds).toBe(SEEDS)
    expect(summary.blocks).toBeGreaterThan(5_000)
    // Each kind of fault and of liar was there.
    const kinds = Object.keys(summary.faults)
    for (const type of FAULT_TYPES) if (type !== 'byzantine') expect(kinds).toContain(type)
    for (const behaviour of BEHAVIOURS) expect(kinds).toContain(`byzantine ${behaviour}`)
  }, 600_000)

  it('break no rule where a ledger loses blocks or a node executes wrongly', async () => {
    const faults = [...FAULT_TYPES, ...HARM_TYPES]
    const { failures, followed } = await campaign(0, HARM_SEEDS, { faults })
    expect(failures).toEqual([])
    // Both had something to do.
    expect(followed.recall).toBeGreaterThan(HARM_SEEDS / 10)
    expect(followed.divergence).toBeGreaterThan(HARM_SEEDS / 10)
  }, 120_000)

  it('mean the same with harm drawn beside them, and harm and lie on no more nodes than the network tolerates', () => {
    for (let seed = 0; seed < 200; seed++) {
      const plain = generateScenario(seed, { validators: 7 })
      const harmed = generateScenario(seed, { validators: 7, faults: [...FAULT_TYPES, ...HARM_TYPES] })
      const common = (scenario: Scenario) =>
        scenario.faults.filter(({ type }) => type !== 'byzantine' && FAULT_TYPES.some((one) => one === type))
      expect(common(harmed)).toEqual(common(plain))
      expect(harmed.transactions).toEqual(plain.transactions)
      const [lying, failing] = [byzantineNodes(harmed), harmedNodes(harmed)]
      expect(failing.size).toBeGreaterThan(0)
      expect(lying.size + failing.size).toBeLessThanOrEqual(2)
      expect([...failing].filter((node) => lying.has(node))).toEqual([])
    }
  })

  it.each([1, 2, 3, 4, 5, 6, 7, 8, 10])('run without faults in view 0 with %i validators', async (validators) => {
    const summary = await campaign(7, 2, { validators, faults: [] })
    expect(summary.failures).toEqual([])
    expect(summary.views).toEqual({ 0: 2 })
  })

  it('blame only the guilty when there are too many of them', async () => {
    const summary = await campaign(0, 15, { validators: 4, faults: ['byzantine', 'partition'], isOverrun: true })
    expect(summary.failures).toEqual([])
  })

  it('check real signatures now and then', async () => {
    const scenario = generateScenario(99, { validators: 4, chaosMs: 1_000 })
    expect(scenario.isSigned).toBe(true)
    expect((await runScenario(scenario)).violations).toEqual([])
  })
})

describe('a run', () => {
  it('is the same for the same seed, alone, after others and in threads', async () => {
    const generate = { validators: 4, chaosMs: 1_000 }
    const [first, second] = [await campaign(20, 3, generate), await campaign(23, 3, generate)]
    const together = await campaign(20, 6, generate)
    expect(merge(first, second)).toEqual(together)
    expect(await runInWorkers({ first: 20, count: 6, stride: 1, generate }, 2)).toEqual(together)
    expect((await campaign(26, 6, generate)).trace).not.toBe(together.trace)
  })

  /** A change here changes what every stored seed means. */
  it('draws the same random numbers everywhere', () => {
    const random = createRandom(42, 1, 2)
    expect(Array.from({ length: 4 }, () => random.below(1_000_000))).toEqual(RANDOM_42)
  })
})
const RANDOM_42 = [116922, 984956, 440040, 845596]

describe('a crash during every write', () => {
  const calm: Scenario = { ...generateScenario(3, { validators: 4, faults: [], chaosMs: 300 }), chaosMs: 600 }

  it.each<Remains>(['none', 'torn', 'all'])(
    'of a node leaves %s of it and breaks no rule',
    async (remains) => {
      const { writes } = await runScenario(calm)
      for (const node of [0, 1]) {
        for (let write = 1; write <= writes[node]!; write++) {
          const scenario: Scenario = { ...calm, faults: [{ type: 'write', node, write, remains, downMs: 50 }] }
          const { violations } = await runScenario(scenario)
          expect(violations, `node ${node}, write ${write}`).toEqual([])
        }
      }
    },
    60_000,
  )
})

describe('shrinking', () => {
  it('keeps what the failure needs and drops the rest', async () => {
    const scenario = generateScenario(4, { validators: 7, faults: ['crash', 'pause', 'storm', 'byzantine'] })
    const needs = (candidate: Scenario) =>
      byzantineNodes(candidate).size > 0 && candidate.transactions.length >= 2 && candidate.validators >= 3
    const start: Scenario = {
      ...scenario,
      faults: [...scenario.faults, { type: 'byzantine', node: 1, behaviours: ['slow', 'replay'] }],
    }
    const run = async (candidate: Scenario) => (needs(candidate) ? 'liveness' : undefined)
    const smallest = await shrink(start, 'liveness', { run, triesMax: 2_000 })
    expect(smallest.faults).toHaveLength(1)
    expect(smallest.transactions).toHaveLength(2)
    expect(smallest.validators).toBeLessThanOrEqual(3)
    expect(smallest.chaosMs).toBeLessThanOrEqual(100)
  })
})
