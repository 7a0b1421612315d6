// What one fault costs: the expected view, not only progress, since a surplus view change heals itself and hides its cause
// (docs/protocol.md, "Timers"). And how soon the network goes on after a time without a quorum.
import { describe, expect, it } from 'vitest'
import { generateScenario } from '../../src/simulator/generate.ts'
import type { Fault, Scenario } from '../../src/simulator/scenario.ts'
import { runScenario } from '../../src/simulator/world.ts'

const BASE_TIMEOUT_MS = 1_000
const OUTAGE_MS = 600_000
const FAR = { delayUs: 60_000, delayMaxMs: 200, dropRate: 0, duplicateRate: 0 }
const NEAR = { delayUs: 2_000, delayMaxMs: 40, dropRate: 0, duplicateRate: 0 }

function scenarioOf(validators: number, chaosMs: number, faults: Fault[]): Scenario {
  const transactions = Array.from({ length: 20 }, (_, index) => ({
    atMs: Math.floor((index * Math.min(chaosMs, 10_000)) / 20),
    sender: index % 2,
    nonce: Math.floor(index / 2),
    node: index % validators,
    expires: 0,
  }))
  return {
    ...generateScenario(1, { validators, faults: [] }),
    isSigned: false,
    chaosMs,
    parameters: { blockTransactionsMax: 4, batchDelayMs: 5, progressTimeoutMs: BASE_TIMEOUT_MS, timeoutMaxMs: 8_000 },
    weather: NEAR,
    healedWeather: NEAR,
    transactions,
    faults,
  }
}

type Links = [from: number, to: number][]
const cut = (links: Links, forMs: number, isNoticed: boolean, atMs = 3_000): Fault => ({
  type: 'partition',
  atMs,
  forMs,
  cut: links,
  flapMs: 0,
  isNoticed,
})
const between = (some: number[], others: number[]): Links =>
  some.flatMap((a) =>
    others.flatMap(
      (b): Links => [
        [a, b],
        [b, a],
      ],
    ),
  )
const from = (one: number, others: number[]): Links => others.map((other) => [one, other])
const to = (one: number, others: number[]): Links => others.map((other) => [other, one])
const down = (node: number, downMs = 30_000): Fault => ({ type: 'crash', node, atMs: 3_000, downMs })

describe('one fault costs', () => {
  it.each<[string, number, number, Fault[]]>([
    ['no view when a backup stops', 4, 0, [down(3)]],
    ['no view when all lose power', 4, 0, [{ type: 'power', atMs: 3_000, downMs: 300 }]],
    ['no view when a backup stands still', 4, 0, [{ type: 'pause', node: 2, atMs: 3_000, forMs: 10_000 }]],
    ['no view when a backup is cut off', 4, 0, [cut(between([2], [0, 1, 3]), 10_000, false)]],
    ['one view when the primary stops', 4, 1, [down(0)]],
    ['one view when the primary stands still', 4, 1, [{ type: 'pause', node: 0, atMs: 3_000, forMs: 10_000 }]],
    ['one view when the primary is mute', 4, 1, [cut(from(0, [1, 2, 3]), 10_000, false)]],
    ['one view when the primary is deaf', 4, 1, [cut(to(0, [1, 2, 3]), 10_000, false)]],
    ['one view when the primary is cut off', 7, 1, [cut(between([0], [1, 2, 3, 4, 5, 6]), 10_000, true)]],
    ['two views when two primaries in turn stop', 7, 2, [down(0), down(1)]],
    ['one view when the network is in halves', 4, 1, [cut(between([0, 1], [2, 3]), 30_000, true)]],
  ])('%s', async (_, validators, view, faults) => {
    const result = await runScenario(scenarioOf(validators, 35_000, faults))
    expect(result.violations).toEqual([])
    expect(result.view).toBe(view)
  })
})

it('costs one view too where messages are slow and the proposals of a view overtake its NEW-VIEW', async () => {
  const halves = cut(between([0, 1], [2, 3]), 30_000, true)
  const result = await runScenario({ ...scenarioOf(4, 35_000, [halves]), weather: FAR, healedWeather: FAR })
  expect(result.violations).toEqual([])
  expect(result.view).toBe(1)
})

describe('after ten minutes without a quorum blocks follow within twice the base timeout', () => {
  const all = [0, 1, 2, 3]
  // Where no connection breaks, transactions are sent again by the clock alone, and a view may pass before the primary has them.
  it.each<[string, number | undefined, Fault[]]>([
    ['nobody reached anybody, and knew', 0, [cut(between(all, all), OUTAGE_MS, true)]],
    ['nobody reached anybody, unnoticed', undefined, [cut(between(all, all), OUTAGE_MS, false)]],
    ['halves', 1, [cut(between([0, 1], [2, 3]), OUTAGE_MS, true)]],
    ['two backups were down', 0, [down(2, OUTAGE_MS), down(3, OUTAGE_MS)]],
    ['the primary and a backup were down', 1, [down(0, OUTAGE_MS), down(3, OUTAGE_MS)]],
  ])(
    '%s',
    async (_, view, faults) => {
      let healedAtMs = Number.POSITIVE_INFINITY
      const blocksAtMs: number[] = []
      const onTrace = (line: string) => {
        const [at, what] = line.split(' ')
        if (what === 'heal') healedAtMs = Number(at)
        if (what === 'block' && Number(at) > healedAtMs) blocksAtMs.push(Number(at) - healedAtMs)
      }
      const scenario = scenarioOf(4, 3_000 + OUTAGE_MS, faults)
      const result = await runScenario(scenario, { onTrace, eventsMax: 2_000_000 })
      expect(result.violations).toEqual([])
      expect(blocksAtMs[0]).toBeLessThan(2 * BASE_TIMEOUT_MS)
      if (view !== undefined) expect(result.view).toBe(view)
    },
    60_000,
  )
})
