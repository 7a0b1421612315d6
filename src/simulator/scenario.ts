// A scenario is everything that a run is made of, as plain data: it can be stored, replayed and shrunk. The world adds only the
// randomness of single messages and writes, which follows from the seed.
import type { Parameters } from '../types/epoch.ts'

export interface Scenario {
  seed: number
  validators: number
  /** Real Ed25519 instead of the keyed hash. */
  isSigned: boolean
  /** Faults act up to here, then everything heals. */
  chaosMs: number
  /** After healing every transaction must have run within this time. */
  boundMs: number
  parameters: Partial<Parameters>
  weather: Weather
  /** What messages meet once everything has healed. */
  healedWeather: Weather
  /** How far each node's wall clock is from true time until everything heals. */
  skewsMs: number[]
  /** The log is rewritten once it has grown past this. */
  logRewriteBytes: number
  transactions: ScheduledTransaction[]
  faults: Fault[]
}

/** What each message meets on its way. */
export interface Weather {
  delayUs: number
  /** The slowest message takes so long. */
  delayMaxMs: number
  dropRate: number
  duplicateRate: number
}

export interface ScheduledTransaction {
  atMs: number
  sender: number
  nonce: number
  /** The node whose client hands it in. */
  node: number
  /** Last height at which it may run, 0 for never. */
  expires: number
}

/** What is left of the write during which the machine loses power. */
export type Remains = 'none' | 'short' | 'torn' | 'misordered' | 'all'

export type Fault =
  | { type: 'crash'; node: number; atMs: number; downMs: number }
  /** Loses power during the `write`-th write (of the log or of the ledger) since the run began. */
  | { type: 'write'; node: number; write: number; remains: Remains; downMs: number }
  | { type: 'power'; atMs: number; downMs: number }
  | { type: 'pause'; node: number; atMs: number; forMs: number }
  /** Nothing passes the links in `cut`; with `flapMs` they are cut and whole by turns. `isNoticed`: connections end and begin anew. */
  | {
      type: 'partition'
      atMs: number
      forMs: number
      cut: [from: number, to: number][]
      flapMs: number
      isNoticed: boolean
    }
  | { type: 'clock'; node: number; atMs: number; byMs: number }
  | { type: 'sync-error'; node: number; write: number; downMs: number }
  | { type: 'slow-disk'; node: number; atMs: number; forMs: number; factor: number }
  | { type: 'storm'; atMs: number; forMs: number; weather: Weather }
  | { type: 'late'; node: number; atMs: number }
  /** `apart`: with twins, the nodes that only the second one talks to; by chance unless given. */
  | { type: 'byzantine'; node: number; behaviours: Behaviour[]; apart?: number[] }
  /** Loses power, and its ledger lacks the last blocks when it comes back, and certificates of some below them; its log is whole. */
  | { type: 'lost-blocks'; node: number; atMs: number; blocks: number; certificates: number; downMs: number }
  /** Block `height` comes out with another state: each time it is executed here, or the first time only. */
  | { type: 'wrong-execution'; node: number; height: number; isLasting: boolean }

export type FaultType = Fault['type']

export type HarmType = 'lost-blocks' | 'wrong-execution'
export type CommonType = Exclude<FaultType, HarmType>

export const FAULT_TYPES: readonly CommonType[] = [
  'crash',
  'write',
  'power',
  'pause',
  'partition',
  'clock',
  'sync-error',
  'slow-disk',
  'storm',
  'late',
  'byzantine',
]

/** Drawn beside the others and only where asked for, so that every seed without them means what it always meant. */
export const HARM_TYPES: readonly HarmType[] = ['lost-blocks', 'wrong-execution']

export type Behaviour =
  | 'twins'
  | 'equivocate'
  | 'silent'
  | 'slow'
  | 'selective'
  | 'censor'
  | 'forge'
  | 'withhold'
  | 'bogus-exec'
  | 'bogus-answer'
  | 'confuse-types'
  | 'replay'
  | 'flood'
  | 'mutate'
  | 'lie-status'
  | 'lie-view-change'
  | 'lie-new-view'

export const BEHAVIOURS: readonly Behaviour[] = [
  'twins',
  'equivocate',
  'silent',
  'slow',
  'selective',
  'censor',
  'forge',
  'withhold',
  'bogus-exec',
  'bogus-answer',
  'confuse-types',
  'replay',
  'flood',
  'mutate',
  'lie-status',
  'lie-view-change',
  'lie-new-view',
]

/** The nodes whose messages may be lies. */
export const byzantineNodes = (scenario: Scenario): Set<number> => nodesWith(scenario, ['byzantine'])

/** Honest nodes whose disk or execution may fail them. */
export const harmedNodes = (scenario: Scenario): Set<number> => nodesWith(scenario, HARM_TYPES)

export function nodesWith({ faults }: Scenario, types: readonly FaultType[]): Set<number> {
  return new Set(faults.flatMap((fault) => (types.includes(fault.type) && 'node' in fault ? [fault.node] : [])))
}
