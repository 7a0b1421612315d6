// An upgrade tried on a block that was executed already: its transactions run once as they did, once with the contract's new code,
// and what comes out differently is told. Nothing is kept.
import type { Receipt } from '../types/block.ts'
import type { Transaction } from '../types/transaction.ts'
import type { BlockInput } from './block.ts'
import type { ReceiptCode } from './codes.ts'
import { rootFrame } from './frame.ts'
import { invoke } from './invoke.ts'
import { Journal, type StateStore } from './journal.ts'
import { hasOwnMessage } from './outcome.ts'
import { readContract, SYSTEM, systemKeys } from './state.ts'
import { executeTransaction, type TransactionScene } from './transaction.ts'
import { compareUtf8, utf8Text } from './utf8.ts'

/** Differences told of one call, and of all calls together; what is over is counted. */
const CALL_DIFFERENCES_MAX = 20
const DIFFERENCES_MAX = 1_000
/** Characters shown of one value. */
const VALUE_CHARACTERS_MAX = 1_000

/** All transactions of the block, in its order: those to other contracts may call this one, and write what it reads. */
export interface RehearsalInput extends BlockInput {
  contract: string
  code: string
  /** JSON text. */
  migrate: string
}

/** `key` is a full state key, of writes alone. A value that is absent was not written; null is a deletion, or nothing. */
export interface Difference {
  what: 'status' | 'error' | 'result' | 'gas' | 'events' | 'write'
  key?: string
  before?: string | null
  after?: string | null
}

/** A transaction that reached the contract, directly or through others. Without differences it went as before. */
export interface RehearsedCall {
  id: string
  index: number
  contract: string
  method: string
  differences: Difference[]
  /** Differences beyond those listed. */
  more: number
}

export type Rehearsal =
  | { ok: true; gasUsed: number; calls: RehearsedCall[] }
  /** The upgrade itself would fail. */
  | { ok: false; code: ReceiptCode; message: string; gasUsed: number }

/** Runs the upgrade as the contract's owner over the state before the block, and then the block, with and without it. */
export function rehearse(input: RehearsalInput): Rehearsal {
  const { runtime, store, parameters, height, time, transactions, contract } = input
  const scene = { runtime, parameters, block: { height, time } }
  const before = new Journal(store)
  const after = new Journal(store)
  const outcome = upgrade(input, scene, after)
  const { gasUsed } = outcome
  if (outcome.status !== 'ok') {
    const message = outcome.status === 'failed' && hasOwnMessage(outcome.code) ? outcome.message : ''
    return { ok: false, code: outcome.code, message, gasUsed }
  }
  let room = DIFFERENCES_MAX
  const calls = transactions.flatMap((transaction, index) => {
    const was = execute(scene, before, transaction, contract)
    const is = execute(scene, after, transaction, contract)
    const differences = differencesOf(was, is, contract)
    if (differences.length === 0 && !was.reached && !is.reached) return []
    const listed = differences.slice(0, Math.min(CALL_DIFFERENCES_MAX, room))
    room -= listed.length
    const { contract: to, method } = transaction
    const more = differences.length - listed.length
    return [{ id: was.receipt.txId, index, contract: to, method, differences: listed, more }]
  })
  return { ok: true, gasUsed, calls }
}

function upgrade(
  { contract, code, migrate }: RehearsalInput,
  { runtime, parameters, block }: TransactionScene,
  state: Journal,
) {
  // An owner that is nobody makes no upgrade, and is no sender of one.
  const owner = readContract(state, contract)?.owner || SYSTEM
  const session = {
    runtime,
    block,
    transaction: { id: '0'.repeat(64) },
    origin: owner,
    deployRule: parameters.deploy,
    skipped: 0,
  }
  const args = `{"name":${JSON.stringify(contract)},"code":${JSON.stringify(code)},"migrate":${migrate}}`
  const gasLimit = parameters.transactionGasMax
  const call = { kind: 'call' as const, contract: SYSTEM, method: 'upgrade', args, sender: owner, gasLimit }
  const layer = state.open()
  const outcome = invoke(session, rootFrame(layer), call)
  if (outcome.status === 'ok') layer.merge()
  return outcome
}

interface Executed {
  receipt: Receipt
  writes: Map<string, string | null>
  /** Whether the contract was looked up, which every call of it does. */
  reached: boolean
}

function execute(scene: TransactionScene, journal: Journal, transaction: Transaction, contract: string): Executed {
  const record = systemKeys.contract(contract)
  let reached = false
  const noting: StateStore = {
    get(key) {
      if (key === record) reached = true
      return journal.get(key)
    },
    scan: (prefix, after, limit) => journal.scan(prefix, after, limit),
  }
  const own = new Journal(noting)
  const receipt = executeTransaction(scene, own, transaction)
  const writes = own.writes()
  for (const [key, value] of writes) {
    if (value === null) journal.delete(key)
    else journal.set(key, value)
  }
  return { receipt, writes, reached }
}

function differencesOf(was: Executed, is: Executed, contract: string): Difference[] {
  const differences: Difference[] = []
  const compare = (what: Difference['what'], textOf: (receipt: Receipt) => string) => {
    const [before, after] = [textOf(was.receipt), textOf(is.receipt)]
    if (before !== after) differences.push({ what, before: shorten(before), after: shorten(after) })
  }
  compare('status', ({ status }) => status)
  compare('error', ({ code, message }) => (message === '' ? code : `${code}: ${message}`))
  compare('result', ({ result }) => utf8Text(result) ?? '')
  compare('events', ({ events }) =>
    events.map(({ contract: from, name, data }) => `${from}.${name} ${utf8Text(data)}`).join('\n'),
  )
  for (const key of [...new Set([...was.writes.keys(), ...is.writes.keys()])].sort(compareUtf8)) {
    // The record differs by the upgrade itself.
    if (was.writes.get(key) === is.writes.get(key) || key === systemKeys.contract(contract)) continue
    const difference: Difference = { what: 'write', key }
    if (was.writes.has(key)) difference.before = shorten(was.writes.get(key)!)
    if (is.writes.has(key)) difference.after = shorten(is.writes.get(key)!)
    differences.push(difference)
  }
  // Last, because it hardly ever stays the same: what is cut off must not be what matters.
  compare('gas', ({ gasUsed }) => String(gasUsed))
  return differences
}

function shorten(value: string): string
function shorten(value: string | null): string | null
function shorten(value: string | null): string | null {
  if (value === null || value.length <= VALUE_CHARACTERS_MAX) return value
  return `${value.slice(0, VALUE_CHARACTERS_MAX).toWellFormed()}… (${value.length} characters)`
}
