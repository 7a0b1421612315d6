// One sender's pending transactions by nonce. Those from `next` up to, not including, `end` follow one another without a gap and
// can run now; the rest wait for the nonce `end`.
import type { Transaction } from '../types/transaction.ts'
import { createLink, type Link } from './chain.ts'

/** One pending transaction. `source` is `local` or the peer it came from. */
export interface Entry {
  readonly id: string
  readonly wireHash: string
  readonly transaction: Transaction
  readonly source: string
  /** When it was admitted, in ms on the admitter's clock. */
  readonly at: number
}

export interface Lane {
  readonly sender: string
  /** The sender's next nonce by executed state. */
  next: number
  /** The first nonce from `next` on that is not here. */
  end: number
  /** The highest nonce here. */
  highest: number
  readonly entries: Map<number, Entry>
  /** Its place in the order of turns, among the lanes that wait for a nonce, and among lanes by size. */
  readonly turn: Link<Lane>
  readonly waiting: Link<Lane>
  readonly size: Link<Lane>
}

export function createLane(sender: string, next: number): Lane {
  const lane = { sender, next, end: next, highest: -1, entries: new Map() } as unknown as Lane
  return Object.assign(lane, { turn: createLink(lane), waiting: createLink(lane), size: createLink(lane) })
}

export function addToLane(lane: Lane, entry: Entry): void {
  const { nonce } = entry.transaction
  lane.entries.set(nonce, entry)
  if (nonce > lane.highest) lane.highest = nonce
  extend(lane)
}

export function removeFromLane(lane: Lane, nonce: number): void {
  lane.entries.delete(nonce)
  if (nonce >= lane.next && nonce < lane.end) lane.end = nonce
  if (nonce !== lane.highest) return
  if (lane.entries.size === 0) lane.highest = -1
  // The pool's nonce window bounds this walk.
  else while (!lane.entries.has(lane.highest)) lane.highest--
}

/** Moves `next` forward and gives the entries that fell behind it; the caller removes them. */
export function advanceLane(lane: Lane, next: number): Entry[] {
  if (next <= lane.next) return []
  const passed: Entry[] = []
  if (next - lane.next <= lane.entries.size) {
    for (let nonce = lane.next; nonce < next; nonce++) {
      const entry = lane.entries.get(nonce)
      if (entry !== undefined) passed.push(entry)
    }
  } else {
    for (const entry of lane.entries.values()) if (entry.transaction.nonce < next) passed.push(entry)
    passed.sort((a, b) => a.transaction.nonce - b.transaction.nonce)
  }
  lane.next = next
  if (lane.end < next) {
    lane.end = next
    extend(lane)
  }
  return passed
}

/** How far the farthest transaction that cannot run yet is from running: 0 where all can. */
export function farthest(lane: Lane): number {
  return lane.highest < lane.end ? 0 : lane.highest - lane.end
}

function extend(lane: Lane): void {
  while (lane.entries.has(lane.end)) lane.end++
}
