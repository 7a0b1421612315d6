// The network's parameters: what each means, its bounds, and the relations between them. The same rules hold for the genesis document
// and for a change voted on the ledger.
import { FETCH_BYTES_MAX } from '../limits.ts'
import { BATCH_TRANSACTIONS_MAX } from '../types/block.ts'
import type { Parameters } from '../types/epoch.ts'
import { TRANSACTION_BYTES_MAX } from '../types/transaction.ts'
import { type Fault, fault } from './fault.ts'

export type NumberParameter = { [K in keyof Parameters]: Parameters[K] extends number ? K : never }[keyof Parameters]

export interface ParameterRange {
  unit: 'transactions' | 'bytes' | 'gas' | 'ms' | 'blocks'
  min: number
  max: number
  meaning: string
}

const HOUR_MS = 3_600_000
/** Keeps every sum of gas an exact integer. */
const GAS_MAX = 1e15
/** A view change carries a prepared certificate for each height of the window, at most this many. */
export const WINDOW_BLOCKS_MAX = 1_024

const ms = (min: number, max: number, meaning: string): ParameterRange => ({ unit: 'ms', min, max, meaning })
const blocks = (min: number, max: number, meaning: string): ParameterRange => ({ unit: 'blocks', min, max, meaning })
const gas = (meaning: string): ParameterRange => ({ unit: 'gas', min: 1, max: GAS_MAX, meaning })

export const PARAMETER_RANGES: Record<NumberParameter, ParameterRange> = {
  blockTransactionsMax: {
    unit: 'transactions',
    min: 1,
    max: BATCH_TRANSACTIONS_MAX,
    meaning: 'The most transactions in one block.',
  },
  blockBytesMax: {
    unit: 'bytes',
    // A block has to hold the largest transaction, and one frame, or one answer to a node that catches up, has to hold a block.
    min: TRANSACTION_BYTES_MAX,
    max: FETCH_BYTES_MAX / 2,
    meaning: 'The most bytes of transactions in one block, signatures included.',
  },
  blockGasMax: gas('What the gas limits of the transactions of one block may add up to.'),
  transactionGasMax: gas('The highest gas limit of one transaction.'),
  batchDelayMs: ms(0, 60_000, 'How long a block stays open after its first transaction while others are in flight.'),
  progressTimeoutMs: ms(50, HOUR_MS, 'How long work may go without progress before the primary is suspected.'),
  timeoutMaxMs: ms(50, HOUR_MS, 'What the timeouts, which double with each failed view, never exceed.'),
  timePastMs: ms(1, HOUR_MS, 'How far a proposed block time may lie behind the clock of a validator.'),
  timeAheadMs: ms(1, HOUR_MS, 'How far a proposed block time may lie ahead of the clock of a validator.'),
  heartbeatMs: ms(0, 24 * HOUR_MS, 'An empty block is made after so long without one. 0: never.'),
  windowBlocks: blocks(1, WINDOW_BLOCKS_MAX, 'How far ordering may run ahead of the last certified block (L).'),
  inFlightBlocks: blocks(1, WINDOW_BLOCKS_MAX, 'How many blocks the primary proposes before the first commits (W).'),
  snapshotIntervalBlocks: blocks(1, 1e9, 'A state snapshot for new nodes is taken every so many blocks.'),
}

export const RULE = /^(anyone|role:([a-z][a-z0-9-]{0,63}))$/
export const RULE_MEANINGS = {
  deploy: 'Who may deploy contracts: `anyone`, or `role:NAME` for the accounts with that role.',
  transact: 'Who may send transactions: `anyone`, or `role:NAME` for the accounts with that role.',
}

/** Every fault of the parameters by themselves; whether the roles they name exist is the document's matter. */
export function checkParameters(parameters: Parameters, path = 'parameters'): Fault[] {
  const faults: Fault[] = []
  for (const [name, { unit, min, max }] of Object.entries(PARAMETER_RANGES)) {
    const value = parameters[name as NumberParameter]
    if (Number.isSafeInteger(value) && value >= min && value <= max) continue
    const expected = `a whole number from ${min} to ${max} (${unit})`
    faults.push(fault('PARAMETER', `${path}.${name}`, { expected, got: value, mend: 'choose a value in that range' }))
  }
  for (const name of ['deploy', 'transact'] as const) {
    if (RULE.test(parameters[name])) continue
    const parts = { expected: '`anyone` or `role:NAME`', got: parameters[name], mend: 'name a role in lower case' }
    faults.push(fault('RULE', `${path}.${name}`, parts))
  }
  return [...faults, ...checkRelations(parameters, path)]
}

/** Pairs of which the first may not exceed the second, and why. */
const RELATIONS: [NumberParameter, NumberParameter, string][] = [
  ['transactionGasMax', 'blockGasMax', 'or the dearest transaction fits in no block'],
  ['inFlightBlocks', 'windowBlocks', 'since what is in flight lies in the window'],
  ['progressTimeoutMs', 'timeoutMaxMs', 'since the timeout starts there and doubles up to the other'],
  ['batchDelayMs', 'progressTimeoutMs', 'or a primary that waits for its block to fill is suspected'],
  ['windowBlocks', 'snapshotIntervalBlocks', 'or snapshots would be taken of blocks still in the window'],
]

function checkRelations(parameters: Parameters, path: string): Fault[] {
  const faults: Fault[] = []
  for (const [lower, upper, why] of RELATIONS) {
    if (!(parameters[lower] > parameters[upper])) continue
    const expected = `at most ${upper}, ${parameters[upper]}, ${why}`
    const mend = `lower ${lower} or raise ${upper}`
    faults.push(fault('PARAMETER_RELATION', `${path}.${lower}`, { expected, got: parameters[lower], mend }))
  }
  const { heartbeatMs, batchDelayMs } = parameters
  if (heartbeatMs > 0 && heartbeatMs < batchDelayMs) {
    const expected = `0 or at least batchDelayMs, ${batchDelayMs}, or every block would be a heartbeat`
    const mend = 'raise heartbeatMs or set it to 0'
    faults.push(fault('PARAMETER_RELATION', `${path}.heartbeatMs`, { expected, got: heartbeatMs, mend }))
  }
  return faults
}
