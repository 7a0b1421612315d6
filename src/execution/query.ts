// Reads at a fixed state, and runs that change nothing: views, dry runs, replays.
import { REPLAY_BYTES_MAX } from '../limits.ts'
import type { Receipt } from '../types/block.ts'
import type { Parameters } from '../types/epoch.ts'
import type { Transaction } from '../types/transaction.ts'
import type { ReceiptCode } from './codes.ts'
import { rootFrame } from './frame.ts'
import { invoke } from './invoke.ts'
import { Journal, type StateStore } from './journal.ts'
import { hasOwnMessage } from './outcome.ts'
import { recordReads, type StateRecord } from './recording.ts'
import type { Runtime } from './runtime.ts'
import type { TrapCode } from './sandbox/types.ts'
import { readNonce } from './state.ts'
import { executeTransaction } from './transaction.ts'

export interface ViewInput {
  runtime: Runtime
  /** The state after `height`. */
  store: StateStore
  height: number
  /** Of the block at that height, in ms since 1970. */
  time: number
  contract: string
  method: string
  /** JSON text. */
  args: string
  gasLimit: number
}

/** `result` is JSON text, null where the view returned nothing. `message` is the contract's own text or empty. */
export type ViewResult =
  | { ok: true; result: string | null; gasUsed: number }
  | { ok: false; code: ReceiptCode | TrapCode; message: string; gasUsed: number }

export function runView({ runtime, store, height, time, contract, method, args, gasLimit }: ViewInput): ViewResult {
  const session = { runtime, block: { height, time }, transaction: null, origin: null, deployRule: '', skipped: 0 }
  const call = { kind: 'view' as const, contract, method, args, sender: null, gasLimit }
  const outcome = invoke(session, rootFrame(new Journal(store)), call)
  const { gasUsed } = outcome
  if (outcome.status === 'ok') return { ok: true, result: outcome.result, gasUsed }
  const message = outcome.status === 'failed' && hasOwnMessage(outcome.code) ? outcome.message : ''
  return { ok: false, code: outcome.code, message, gasUsed }
}

export interface SimulationInput {
  runtime: Runtime
  /** The state before the transaction. */
  store: StateStore
  parameters: Parameters
  /** Of the block it would be in, or was in. */
  height: number
  time: number
  /** Its signature is not looked at. */
  transaction: Transaction
  /** Transactions of the same block before it: a replay needs their writes. */
  before?: Transaction[]
  /** Take the transaction's nonce for the next one, to estimate one that waits behind others. */
  assumeNonce?: boolean
}

export interface Simulation {
  /** What it would get now. */
  receipt: Receipt
  /** Values before it of all that it reads, scans or writes; undefined where they are more than `REPLAY_BYTES_MAX`. */
  record: StateRecord | undefined
  /** What it would write; a reverted transaction still writes its nonce. */
  writes: { key: string; before: string | null; after: string | null }[]
}

export function simulate(input: SimulationInput): Simulation {
  const { runtime, parameters, height, time, transaction, before = [], assumeNonce = false } = input
  const block = { height, time }
  const journal = new Journal(input.store)
  for (const earlier of before) executeTransaction({ runtime, parameters, block }, journal, earlier)
  const recorder = recordReads(journal, runtime, REPLAY_BYTES_MAX)
  const nonce = assumeNonce ? readNonce(journal, transaction.sender) : transaction.nonce
  const own = new Journal(recorder.store)
  const receipt = executeTransaction({ runtime: recorder.runtime, parameters, block }, own, { ...transaction, nonce })
  const writes = [...own.writes()].map(([key, after]) => ({ key, before: recorder.store.get(key) ?? null, after }))
  return { receipt: { ...receipt, nonce: transaction.nonce }, record: recorder.record(), writes }
}

/** What the last of a block's first transactions writes: the ones before it run for their effect on it. */
export function lastWrites({ before = [], transaction, ...input }: SimulationInput): [string, string | null][] {
  const { runtime, parameters, height, time } = input
  const scene = { runtime, parameters, block: { height, time } }
  const journal = new Journal(input.store)
  for (const earlier of before) executeTransaction(scene, journal, earlier)
  const own = journal.open()
  executeTransaction(scene, own, transaction)
  return [...own.writes()]
}
