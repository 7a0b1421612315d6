// Filling batches: when this validator may propose, what goes in, and when a batch is closed.
import type { Body } from './consensus/event.ts'
import { batchDigest } from './crypto/digest.ts'
import { type Batch, batchCodec } from './types/block.ts'
import type { Parameters } from './types/epoch.ts'
import { encode } from './types/schema.ts'
import { decodeTransaction, type Transaction } from './types/transaction.ts'

/** The pool as the proposer sees it. */
export interface ProposalPool {
  select(
    limits: { transactionsMax: number; bytesMax: number; gasMax: number },
    inFlight: (sender: string, next: number) => number,
    nextHeight: number,
  ): Transaction[]
  hasExecutable(inFlight: (sender: string, next: number) => number): boolean
  size(): { count: number }
}

/** `now` is wall-clock time, which the batch proposes; `at` the clock that never jumps, by which batches close. Both in ms. */
export interface ProposalPlace {
  seq: number
  view: number
  inFlightBlocks: number
  now: number
  at: number
}

type Nonce = Pick<Transaction, 'sender' | 'nonce'>

export interface Proposing {
  /** A batch for `seq`, or undefined while there is nothing to propose or the batch is still open. */
  next(place: ProposalPlace): Body | undefined
  /** After a restart or a change of the view: these batches are in flight and no others. */
  reset(open: [seq: number, batch: Batch][]): void
  /** The block at `height` ran: its transactions are no longer in flight. */
  onExecuted(height: number): void
}

/**
 * A batch closes when it is full, `batchDelayMs` after the batch before it, or at once while nothing is in flight.
 * Where the parameters ask for it, an empty batch follows `heartbeatMs` without any. `proposer` is this validator's key.
 */
export function createProposing(pool: ProposalPool, parameters: Parameters, proposer: string): Proposing {
  const proposed = new Map<number, Nonce[]>()
  /** By sender, how often each nonce is in flight: after a view change a nonce may be proposed again behind one that will be skipped. */
  const inFlightOf = new Map<string, Map<number, number>>()
  let inFlightCount = 0
  let lastClosedAt = Number.NEGATIVE_INFINITY
  /** Since when there has been nothing to propose and no block. */
  let quietSince: number | undefined

  function inFlight(sender: string, next: number): number {
    const nonces = inFlightOf.get(sender)
    let nonce = next
    while (nonces?.has(nonce)) nonce++
    return nonce - next
  }

  function add(seq: number, nonces: Nonce[]): void {
    proposed.set(seq, nonces)
    inFlightCount += nonces.length
    for (const { sender, nonce } of nonces) {
      const counts = inFlightOf.get(sender) ?? new Map<number, number>()
      inFlightOf.set(sender, counts.set(nonce, (counts.get(nonce) ?? 0) + 1))
    }
  }

  function remove(nonces: Nonce[]): void {
    inFlightCount -= nonces.length
    for (const { sender, nonce } of nonces) {
      const counts = inFlightOf.get(sender)!
      const left = counts.get(nonce)! - 1
      if (left > 0) counts.set(nonce, left)
      else counts.delete(nonce)
      if (counts.size === 0) inFlightOf.delete(sender)
    }
  }

  function next({ seq, view, inFlightBlocks, now, at }: ProposalPlace): Body | undefined {
    const { batchDelayMs, blockTransactionsMax, blockBytesMax, blockGasMax } = parameters
    const isFull = pool.size().count - inFlightCount >= blockTransactionsMax
    if (inFlightBlocks > 0 && !isFull && at - lastClosedAt < batchDelayMs) return undefined
    const limits = { transactionsMax: blockTransactionsMax, bytesMax: blockBytesMax, gasMax: blockGasMax }
    const selected = pool.select(limits, inFlight, seq)
    if (selected.length === 0 && !isHeartbeatDue(inFlightBlocks, at)) return undefined
    lastClosedAt = at
    quietSince = undefined
    add(seq, selected)
    const batch: Batch = { view, proposer, time: now, txs: selected.map((transaction) => transaction.wire) }
    return { batch, bytes: encode(batchCodec, batch), digest: batchDigest(batch) }
  }

  /** An empty block shows that the network could make one. */
  function isHeartbeatDue(inFlightBlocks: number, at: number): boolean {
    const { heartbeatMs } = parameters
    if (heartbeatMs === 0 || inFlightBlocks > 0) return false
    quietSince ??= at
    return at - quietSince >= heartbeatMs
  }

  function onExecuted(height: number): void {
    quietSince = undefined
    for (const [seq, nonces] of proposed) {
      if (seq > height) continue
      proposed.delete(seq)
      remove(nonces)
    }
  }

  return {
    next,
    reset(open) {
      proposed.clear()
      inFlightOf.clear()
      inFlightCount = 0
      quietSince = undefined
      for (const [seq, batch] of open) add(seq, batch.txs.map(decodeTransaction))
    },
    onExecuted,
  }
}
