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
    inFlight: (sender: string) => number,
    nextHeight: number,
  ): Transaction[]
  hasExecutable(inFlight: (sender: string) => number): boolean
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
 * `proposer` is this validator's key.
 */
export function createProposing(pool: ProposalPool, parameters: Parameters, proposer: string): Proposing {
  const proposed = new Map<number, string[]>()
  const inFlightOf = new Map<string, number>()
  const inFlight = (sender: string) => inFlightOf.get(sender) ?? 0
  let inFlightCount = 0
  let lastClosedAt = Number.NEGATIVE_INFINITY

  function add(seq: number, senders: string[]): void {
    proposed.set(seq, senders)
    inFlightCount += senders.length
    for (const sender of senders) inFlightOf.set(sender, inFlight(sender) + 1)
  }

  function next({ seq, view, inFlightBlocks, now, at }: ProposalPlace): Body | undefined {
    const { batchDelayMs, blockTransactionsMax, blockBytesMax, blockGasMax } = parameters
    const isFull = pool.size().count - inFlightCount >= blockTransactionsMax
    if (inFlightBlocks > 0 && !isFull && at - lastClosedAt < batchDelayMs) return undefined
    const limits = { transactionsMax: blockTransactionsMax, bytesMax: blockBytesMax, gasMax: blockGasMax }
    const selected = pool.select(limits, inFlight, seq)
    if (selected.length === 0) return undefined
    lastClosedAt = at
    add(
      seq,
      selected.map((transaction) => transaction.sender),
    )
    const batch: Batch = { view, proposer, time: now, txs: selected.map((transaction) => transaction.wire) }
    return { batch, bytes: encode(batchCodec, batch), digest: batchDigest(batch) }
  }

  function onExecuted(height: number): void {
    for (const [seq, senders] of proposed) {
      if (seq > height) continue
      proposed.delete(seq)
      inFlightCount -= senders.length
      for (const sender of senders) {
        const left = inFlight(sender) - 1
        if (left > 0) inFlightOf.set(sender, left)
        else inFlightOf.delete(sender)
      }
    }
  }

  return {
    next,
    reset(open) {
      proposed.clear()
      inFlightOf.clear()
      inFlightCount = 0
      for (const [seq, batch] of open) add(seq, batch.txs.map((wire) => decodeTransaction(wire).sender))
    },
    onExecuted,
  }
}
