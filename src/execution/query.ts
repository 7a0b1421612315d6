// Reads at a fixed state, and runs that change nothing: views, dry runs, replays.
import type { Receipt } from '../types/block.ts'
import type { Parameters } from '../types/epoch.ts'
import type { Transaction } from '../types/transaction.ts'
import type { ReceiptCode } from './codes.ts'
import { rootFrame } from './frame.ts'
import { invoke } from './invoke.ts'
import { Journal, type StateStore } from './journal.ts'
import { SUMMARY_KEYS_MAX } from './limits.ts'
import { hasOwnMessage } from './outcome.ts'
import type { Runtime } from './runtime.ts'
import type { TrapCode } from './sandbox/types.ts'
import { readNonce, SYSTEM, stateKey } from './state.ts'
import { executeTransaction } from './transaction.ts'
import { compareUtf8 } from './utf8.ts'

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
  /** Full state keys read outside its own writes, in byte order, as many as are listed; code left out. */
  reads: string[]
  /** What it would write; a reverted transaction still writes its nonce. */
  writes: { key: string; before: string | null; after: string | null }[]
}

export function simulate(input: SimulationInput): Simulation {
  const { runtime, parameters, height, time, transaction, before = [], assumeNonce = false } = input
  const scene = { runtime, parameters, block: { height, time } }
  const journal = new Journal(input.store)
  for (const earlier of before) executeTransaction(scene, journal, earlier)
  const { store, reads } = recordReads(journal)
  const nonce = assumeNonce ? readNonce(journal, transaction.sender) : transaction.nonce
  const own = new Journal(store)
  const receipt = executeTransaction(scene, own, { ...transaction, nonce })
  const readKeys = [...reads].sort(compareUtf8)
  const writes = [...own.writes()].map(([key, after]) => ({ key, before: journal.get(key) ?? null, after }))
  return { receipt: { ...receipt, nonce: transaction.nonce }, reads: readKeys, writes }
}

const CODE_PREFIX = stateKey(SYSTEM, 'code/')

function recordReads(inner: StateStore): { store: StateStore; reads: Set<string> } {
  const reads = new Set<string>()
  const note = (key: string) => {
    // Whether code is read depends on what is in memory.
    if (reads.size < SUMMARY_KEYS_MAX && !key.startsWith(CODE_PREFIX)) reads.add(key)
  }
  const store: StateStore = {
    get(key) {
      note(key)
      return inner.get(key)
    },
    scan(prefix, after, limit) {
      const entries = inner.scan(prefix, after, limit)
      for (const [key] of entries) note(key)
      return entries
    },
  }
  return { store, reads }
}
