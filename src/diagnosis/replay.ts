// Runs a transaction of a ledger again, from a record of the state it needed: the receipt of this run, and all that a receipt does not say.
import { verify } from '../crypto/signer.ts'
import { Journal } from '../execution/journal.ts'
import { playBack, recordReads, type StateRecord } from '../execution/recording.ts'
import { createRuntime, type Sandbox } from '../execution/runtime.ts'
import { createSandbox } from '../execution/sandbox/index.ts'
import { CALL_DEPTH_MAX } from '../limits.ts'
import type { Receipt } from '../types/block.ts'
import type { Parameters } from '../types/epoch.ts'
import type { Transaction } from '../types/transaction.ts'
import { executeObserved, type PositionsOf } from './execute.ts'
import { type CallError, callError } from './failure.ts'
import type { Log } from './observer.ts'

export interface ReplayInput {
  record: StateRecord
  parameters: Parameters
  block: { height: number; time: number }
  transaction: Transaction
  /** Source maps of the code that ran, where its source is at hand. */
  positionsOf: PositionsOf
  /** Unless given, the one of every validator. */
  sandbox?: Sandbox
}

/** Values are JSON texts as they are stored; null where there is no entry. */
export interface Replay {
  receipt: Receipt
  error: CallError | null
  /** What it read of the state before it, in byte order; the system contract's own (nonce, roles, contracts) included. */
  reads: { contract: string; key: string; value: string | null }[]
  writes: { contract: string; key: string; before: string | null; after: string | null }[]
  logs: Log[]
  /** What it asked for that the record does not hold: it ran differently from there on. */
  missing: string[]
}

export function replay({ record, parameters, block, transaction, positionsOf, ...parts }: ReplayInput): Replay {
  const sandbox = parts.sandbox ?? createSandbox({ depthMax: CALL_DEPTH_MAX })
  const { store, missing } = playBack(record)
  const recorder = recordReads(store, createRuntime({ sandbox, verifyEd25519: verify }), Number.POSITIVE_INFINITY)
  const journal = new Journal(recorder.store)
  const scene = { runtime: recorder.runtime, parameters, block }
  const { receipt, layer, ...observed } = executeObserved(scene, journal, transaction, positionsOf)
  const { reads, logs } = observed.observer
  const isSeen = (fullKey: string) => {
    const { contract, key } = splitKey(fullKey)
    return recorder.lookedUp.has(fullKey) || reads.get(contract)?.has(key) === true
  }
  const seen = [...recorder.record()!.values].filter(([key]) => isSeen(key))
  return {
    receipt,
    error: receipt.status === 'ok' ? null : callError(receipt, observed),
    reads: seen.map(([key, value]) => ({ ...splitKey(key), value: value ?? null })),
    writes: [...layer.writes()].map(([key, after]) => ({ ...splitKey(key), before: store.get(key) ?? null, after })),
    logs,
    missing: [...missing].map((key) => key.replace('\0', ' ')),
  }
}

/** In words, what the two receipts say differently; empty where they are the same. */
export function differencesOf(own: Receipt, certified: Receipt): string[] {
  const text = (value: unknown) => JSON.stringify(value)
  const shown = ({ status, code, message, gasUsed, result, events }: Receipt) => ({
    status,
    error: code === '' ? null : { code, message },
    'gas used': gasUsed,
    result: utf8.decode(result),
    events: events.map(({ contract, name, data }) => ({ contract, name, data: utf8.decode(data) })),
  })
  const [here, there] = [shown(own), shown(certified)]
  return (Object.keys(here) as (keyof typeof here)[])
    .filter((name) => text(here[name]) !== text(there[name]))
    .map((name) => `${name}: ${text(here[name])} here, ${text(there[name])} is certified`)
}

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true })

function splitKey(full: string): { contract: string; key: string } {
  const end = full.indexOf('\0')
  return { contract: full.slice(0, end), key: full.slice(end + 1) }
}
