// Twins (Bano et al., "Twins: BFT Systems Made Robust", OPODIS 2021): instead of chosen lies, one validator runs twice with one key, and
// every way to divide the network, round after round, is tried at n = 4. TWINS_ROUNDS=4 tries 5,000 of them.
import { expect, it } from 'vitest'
import { generateScenario } from '../../src/simulator/generate.ts'
import type { Fault, Scenario } from '../../src/simulator/scenario.ts'
import { runScenario } from '../../src/simulator/world.ts'

const ROUNDS = Number(process.env.TWINS_ROUNDS ?? 3)
/** A little more than a view takes to fail: what a round prepared meets another division in the next. */
const ROUND_MS = 700
const TRANSACTIONS_PER_ROUND = 2

const calm: Scenario = {
  ...generateScenario(1, { validators: 4, faults: [] }),
  isSigned: false,
  parameters: { blockTransactionsMax: 1, batchDelayMs: 5, progressTimeoutMs: 500, timeoutMaxMs: 500 },
  weather: { delayUs: 2_000, delayMaxMs: 40, dropRate: 0, duplicateRate: 0 },
}

/** Every division of three nodes into groups. */
const divisionsOf = ([a, b, c]: number[]): number[][][] => [
  [[a!, b!, c!]],
  [[a!, b!], [c!]],
  [[a!, c!], [b!]],
  [[b!, c!], [a!]],
  [[a!], [b!], [c!]],
]

function cutsBetween(groups: number[][]): [number, number][] {
  return groups.flatMap((group) =>
    group.flatMap((from) =>
      groups.filter((other) => other !== group).flatMap((other) => other.map((to): [number, number] => [from, to])),
    ),
  )
}

function sequences<T>(choices: T[], length: number): T[][] {
  if (length === 0) return [[]]
  return choices.flatMap((choice) => sequences(choices, length - 1).map((rest) => [choice, ...rest]))
}

function twinScenario(twin: number, apart: number[], rounds: number[][][]): Scenario {
  const partitions = rounds.map(
    (groups, round): Fault => ({
      type: 'partition',
      atMs: round * ROUND_MS,
      forMs: ROUND_MS,
      cut: cutsBetween(groups),
      flapMs: 0,
      isNoticed: false,
    }),
  )
  return {
    ...calm,
    chaosMs: rounds.length * ROUND_MS,
    transactions: Array.from({ length: rounds.length * TRANSACTIONS_PER_ROUND }, (_, index) => ({
      atMs: 1 + (index * ROUND_MS) / TRANSACTIONS_PER_ROUND,
      sender: index % 4,
      nonce: Math.floor(index / 4),
      node: index % 4,
      expires: 0,
    })),
    faults: [{ type: 'byzantine', node: twin, behaviours: ['twins'], apart }, ...partitions],
  }
}

it.each([0, 1, 2])(
  `validator %i twice and every division over ${ROUNDS} rounds break no rule`,
  async (twin) => {
    const correct = [0, 1, 2, 3].filter((node) => node !== twin)
    let views = 0
    for (const alone of [undefined, ...correct]) {
      for (const rounds of sequences(divisionsOf(correct), ROUNDS)) {
        const scenario = twinScenario(twin, alone === undefined ? [] : [alone], rounds)
        const { violations, view } = await runScenario(scenario)
        expect(violations, JSON.stringify(scenario.faults)).toEqual([])
        views = Math.max(views, view)
      }
    }
    expect(views).toBeGreaterThan(0)
  },
  600_000,
)
