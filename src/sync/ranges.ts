// The heights still to be applied, cut into ranges that several peers are asked for at once. The ranges lie one behind the other
// without a gap; the first is the next to be applied.
import { FETCH_BLOCKS_MAX } from '../limits.ts'
import type { CertifiedBlock } from '../types/fetch.ts'
import type { SyncPeer } from './peers.ts'

export interface Range {
  readonly from: number
  to: number
  /** Who has been asked and has not answered yet. */
  readonly askers: Set<SyncPeer>
  askedAt: number
  /** Checked, whatever came first. */
  answer: Answer | undefined
}

export interface Answer {
  peer: SyncPeer
  blocks: CertifiedBlock[]
  bytes: number
  /** When these blocks were asked for: the tip they show is that old. */
  askedAt: number
}

/** Blocks ahead of the executor, fetched or asked for. */
const AHEAD_BLOCKS_MAX = 8 * FETCH_BLOCKS_MAX
/** A range that nobody answered in this time is asked of another peer as well. */
export const LATE_MS = 1_000
/** Peers asked for one range at once. */
const ASKERS_MAX = 3

const rangeFrom = (from: number, to: number): Range => ({ from, to, askers: new Set(), askedAt: 0, answer: undefined })

export interface Ranges {
  readonly all: readonly Range[]
  /** Forgets what lies at or below this height: votes may have certified what a range waits for. */
  dropTo(height: number): void
  /** Covers the heights from behind `height` up to what peers claim, at most so many ahead; what they no longer claim is dropped. */
  cover(height: number, highest: number): void
  /** Keeps a checked answer, unless another was there first; a shorter one leaves the rest to be asked for. */
  fill(range: Range, answer: Answer): void
  /** The first range, once it is there. */
  shift(): Answer | undefined
  clear(): void
}

export function createRanges(): Ranges {
  let all: Range[] = []

  function cover(height: number, highest: number): void {
    for (let last = all.at(-1); last !== undefined && isIdle(last) && last.from > highest; last = all.at(-1)) all.pop()
    for (;;) {
      const from = (all.at(-1)?.to ?? height) + 1
      if (from > highest || from > height + AHEAD_BLOCKS_MAX) return
      all.push(rangeFrom(from, from + FETCH_BLOCKS_MAX - 1))
    }
  }

  function fill(range: Range, answer: Answer): void {
    const index = all.indexOf(range)
    if (index < 0 || range.answer !== undefined) return
    const end = answer.blocks.at(-1)!.header.height
    if (end < range.to) all.splice(index + 1, 0, rangeFrom(end + 1, range.to))
    range.to = end
    range.answer = answer
  }

  return {
    get all() {
      return all
    },
    dropTo(height) {
      while (all.length > 0 && all[0]!.to <= height) all.shift()
    },
    cover,
    fill,
    shift: () => (all[0]?.answer === undefined ? undefined : all.shift()!.answer),
    clear() {
      all = []
    },
  }
}

const isIdle = ({ askers, answer }: Range): boolean => askers.size === 0 && answer === undefined

/** Nobody has been asked, or nobody of whom an answer in time can be expected. */
export function isDue({ askers, askedAt, answer }: Range, now: number): boolean {
  if (answer !== undefined || askers.size >= ASKERS_MAX) return false
  return askers.size === 0 || now - askedAt >= LATE_MS || [...askers].every(({ failures }) => failures > 0)
}
