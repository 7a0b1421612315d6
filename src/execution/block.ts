// One block: its transactions in order over one journal. A pure function of the state before it and its arguments: no clock, no
// randomness, and nothing that depends on the order in which maps were filled.
import type { Receipt } from '../types/block.ts'
import type { Parameters } from '../types/epoch.ts'
import type { Transaction } from '../types/transaction.ts'
import { Journal, type StateStore } from './journal.ts'
import type { Runtime } from './runtime.ts'
import { executeTransaction } from './transaction.ts'
import { writesDigest } from './writes.ts'

export interface BlockInput {
  runtime: Runtime
  /** The state at height - 1. */
  store: StateStore
  /** Of the epoch that the height is in. */
  parameters: Parameters
  height: number
  /** From `blockTime`, in ms since 1970. */
  time: number
  /** Decoded, of this network, with signatures that were checked before the batch was voted for. */
  transactions: Transaction[]
}

export interface BlockResult {
  /** One for each transaction, in order. */
  receipts: Receipt[]
  /** In the order of the keys' UTF-8 bytes; null deletes. */
  writes: Map<string, string | null>
  /** What the indexes need, one for each transaction, in order. */
  transactions: { id: string; sender: string; nonce: number; contract: string }[]
  /** Of each transaction's own writes, in order: {@link writesDigest}. */
  writeDigests: Uint8Array[]
  gasUsed: number
}

export function executeBlock({ runtime, store, parameters, height, time, transactions }: BlockInput): BlockResult {
  const journal = new Journal(store)
  const scene = { runtime, parameters, block: { height, time } }
  const writeDigests: Uint8Array[] = []
  const receipts = transactions.map((transaction) => {
    const own = journal.open()
    const receipt = executeTransaction(scene, own, transaction)
    writeDigests.push(writesDigest(own.writes()))
    own.merge()
    return receipt
  })
  return {
    receipts,
    writes: journal.writes(),
    transactions: transactions.map(({ sender, nonce, contract }, index) => ({
      id: receipts[index]!.txId,
      sender,
      nonce,
      contract,
    })),
    writeDigests,
    gasUsed: receipts.reduce((sum, receipt) => sum + receipt.gasUsed, 0),
  }
}
