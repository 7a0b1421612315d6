// What the next batch takes: executable transactions, senders in turn, one from each before a second from any, within the batch's
// limits (docs/protocol.md, "Time, order, fairness"). The work is proportional to what is taken and what is in flight.
import type { Transaction } from '../types/transaction.ts'
import type { Chain, Link } from './chain.ts'
import { isExpired } from './expiry.ts'
import type { Lane } from './lane.ts'

/** `bytesMax` bounds the sum of wire bytes, `gasMax` the sum of gas limits. */
export interface SelectLimits {
  transactionsMax: number
  bytesMax: number
  gasMax: number
}
/**
 * How many of a sender's nonces from `next` on, without a gap, are proposed already and not yet executed. What is proposed behind a gap
 * does not count: it will be skipped, and counting it would leave the gap unfilled for ever.
 */
export type InFlight = (sender: string, next: number) => number

/** A nearly full batch looks at this many transactions that are too large for its room, not at the whole pool. */
const MISFITS_MAX = 32

/** Takes transactions and moves the senders that had their turn to the back; one that only lacked room keeps its place. */
export function selectFrom(
  turns: Chain<Lane>,
  limits: SelectLimits,
  inFlight: InFlight,
  nextHeight: number,
): Transaction[] {
  const selected: Transaction[] = []
  let { bytesMax, gasMax } = limits
  let misfits = 0
  const isFull = () => selected.length >= limits.transactionsMax || misfits >= MISFITS_MAX

  function take(lane: Lane, nonce: number): 'taken' | 'none' | 'misfit' {
    const transaction = nonce < lane.end ? lane.entries.get(nonce)?.transaction : undefined
    if (transaction === undefined || isExpired(transaction.expires, nextHeight - 1)) return 'none'
    if (transaction.wire.length > bytesMax || transaction.gasLimit > gasMax) {
      misfits++
      return 'misfit'
    }
    bytesMax -= transaction.wire.length
    gasMax -= transaction.gasLimit
    selected.push(transaction)
    return 'taken'
  }

  let round: { lane: Lane; nonce: number }[] = []
  const served: Link<Lane>[] = []
  for (let link = turns.first; link !== undefined && !isFull(); link = link.next) {
    const lane = link.value
    const nonce = lane.next + inFlight(lane.sender, lane.next)
    const outcome = take(lane, nonce)
    if (outcome !== 'misfit') served.push(link)
    if (outcome === 'taken') round.push({ lane, nonce })
  }
  while (round.length > 0 && !isFull()) {
    const following: typeof round = []
    for (const { lane, nonce } of round) {
      if (isFull()) break
      if (take(lane, nonce + 1) === 'taken') following.push({ lane, nonce: nonce + 1 })
    }
    round = following
  }
  for (const link of served) turns.push(link)
  return selected
}

/** Whether anything could run now that is not in flight. */
export function hasExecutable(turns: Chain<Lane>, inFlight: InFlight): boolean {
  for (let link = turns.first; link !== undefined; link = link.next) {
    if (link.value.next + inFlight(link.value.sender, link.value.next) < link.value.end) return true
  }
  return false
}
