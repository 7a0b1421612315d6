// Makes a failing scenario smaller: drops faults, liars' tricks, transactions, nodes and time as long as the same rule is still broken.
import type { Fault, Scenario } from './scenario.ts'
import type { Rule } from './violation.ts'

export interface ShrinkOptions {
  /** The rule that a scenario breaks, or undefined when it breaks none. */
  run(scenario: Scenario): Promise<Rule | undefined>
  /** Runs at most. */
  triesMax: number
}

/** The smallest scenario found that still breaks `rule`. */
export async function shrink(scenario: Scenario, rule: Rule, { run, triesMax }: ShrinkOptions): Promise<Scenario> {
  let smallest = scenario
  let tries = 0
  for (let isSmaller = true; isSmaller; ) {
    isSmaller = false
    for (const candidate of smallerOnes(smallest)) {
      if (tries++ >= triesMax) return smallest
      if ((await run(candidate)) !== rule) continue
      smallest = candidate
      isSmaller = true
      break
    }
  }
  return smallest
}

/** Large steps first. */
function* smallerOnes(scenario: Scenario): Generator<Scenario> {
  const { faults, transactions } = scenario
  yield* pieces(faults).map((kept) => ({ ...scenario, faults: kept }))
  yield* pieces(transactions).map((kept) => ({ ...scenario, transactions: renumbered(kept) }))
  for (const [index, fault] of faults.entries()) {
    if (fault.type !== 'byzantine') continue
    for (const behaviours of pieces(fault.behaviours)) {
      if (behaviours.length > 0) yield { ...scenario, faults: faults.with(index, { ...fault, behaviours }) }
    }
  }
  if (scenario.validators > 1) yield withoutLastNode(scenario)
  if (scenario.chaosMs > 100) yield { ...scenario, chaosMs: Math.floor(scenario.chaosMs / 2) }
  const { weather } = scenario
  if (weather.dropRate + weather.duplicateRate > 0)
    yield { ...scenario, weather: { ...weather, dropRate: 0, duplicateRate: 0 } }
  if (scenario.skewsMs.some((skew) => skew !== 0)) yield { ...scenario, skewsMs: scenario.skewsMs.map(() => 0) }
}

/** The list without its halves, quarters and so on down to single items. */
function pieces<T>(items: readonly T[]): T[][] {
  const found: T[][] = []
  for (let size = items.length; size >= 1; size = Math.floor(size / 2)) {
    for (let from = 0; from < items.length; from += size) found.push(items.toSpliced(from, size))
  }
  return found
}

/** A sender's nonces have no gaps. */
function renumbered(transactions: Scenario['transactions']): Scenario['transactions'] {
  const next = new Map<number, number>()
  return transactions.map((transaction) => {
    const nonce = next.get(transaction.sender) ?? 0
    next.set(transaction.sender, nonce + 1)
    return { ...transaction, nonce }
  })
}

function withoutLastNode(scenario: Scenario): Scenario {
  const validators = scenario.validators - 1
  const isThere = (fault: Fault) => !('node' in fault) || fault.node < validators
  return {
    ...scenario,
    validators,
    skewsMs: scenario.skewsMs.slice(0, validators),
    transactions: scenario.transactions.map((each) => ({ ...each, node: each.node % validators })),
    faults: scenario.faults.filter(isThere).map((fault) => {
      if (fault.type !== 'partition') return fault
      return { ...fault, cut: fault.cut.filter(([from, to]) => from < validators && to < validators) }
    }),
  }
}
