// Which transactions the blocks of a view pass over (docs/protocol.md, rules 30 to 32): what a primary that orders everything but one
// sender's transactions looks like from the pool of whoever waits.
//
// Watched is each sender's next transaction, in the order in which they became next. A block passes it over when it was proposed after
// the transaction's clock had started, and either had room for it or took one that arrived here after that, or never. An honest
// primary takes turns, so it does neither to a transaction that it has; the clock starts late enough for it to have it.
import type { Parameters } from '../types/epoch.ts'
import type { Transaction } from '../types/transaction.ts'
import { Chain, createLink, type Link } from './chain.ts'
import { isExpired } from './expiry.ts'
import type { Entry, Lane } from './lane.ts'

/** Blocks, so that a few unlucky ones (a nearly full block, a burst that arrived elsewhere in another order) accuse nobody. */
export const PASSED_OVER_BLOCKS = 20
/** Longer than the first two resends take (1 s, 2 s), so that one lost frame or a reconnection accuses nobody either. */
export const GRACE_MS = 4_000
/** Looked at for one block: those that wait longest. */
const WATCHED_MAX = 256

/** An executed block as it was when it was proposed: `proposedAt` and `now` on the clock that never jumps, in ms. */
export interface PassingBlock {
  height: number
  /** The view whose primary proposed it. */
  view: number
  proposedAt: number
  now: number
}

/** What a block took, by what this pool knew of it. `newestAt` is infinite where it took something that was never here. */
export interface Taken {
  count: number
  bytes: number
  gas: number
  newestAt: number
}

interface Wait {
  readonly entry: Entry
  since: number
  view: number
  blocks: number
}

export interface ComplaintPorts {
  parameters(): Parameters
  mayTransact(sender: string): boolean
  /** False while other pools may have had no room for what is here. */
  isRoomy(): boolean
  isResent(entry: Entry): boolean
  resend(entry: Entry, now: number): void
}

export interface Complaints {
  /** The lane changed: another transaction may be its next. */
  look(lane: Lane, now: number): void
  onBlock(block: PassingBlock, taken: Taken): void
  /** The view in which a transaction has been passed over too often, or undefined. */
  view(): number | undefined
}

export function createComplaints(ports: ComplaintPorts): Complaints {
  const waits = new Chain<Wait>()
  const links = new Map<string, Link<Wait>>()
  const overdue = new Set<Link<Wait>>()
  let view = 0
  let viewSince = Number.NEGATIVE_INFINITY

  function forget(sender: string, link: Link<Wait>): void {
    waits.remove(link)
    overdue.delete(link)
    links.delete(sender)
  }

  function look(lane: Lane, now: number): void {
    const entry = lane.entries.get(lane.next)
    const link = links.get(lane.sender)
    if (link?.value.entry === entry) return
    if (link !== undefined) forget(lane.sender, link)
    if (entry === undefined) return
    const fresh = createLink<Wait>({ entry, since: now, view, blocks: 0 })
    links.set(lane.sender, fresh)
    waits.push(fresh)
  }

  /** What a correct primary may leave out too: it expires soon, and for the primary, which is ahead, has done so; or its sender lost the right. */
  function isExempt({ expires, sender }: Transaction, height: number): boolean {
    return isExpired(expires, height + ports.parameters().windowBlocks) || !ports.mayTransact(sender)
  }

  function isPassedOver(transaction: Transaction, start: number, taken: Taken): boolean {
    const { blockTransactionsMax, blockBytesMax, blockGasMax } = ports.parameters()
    if (taken.newestAt >= start) return true
    const hasRoom = taken.count < blockTransactionsMax && taken.gas + transaction.gasLimit <= blockGasMax
    return hasRoom && taken.bytes + transaction.wire.length <= blockBytesMax
  }

  /** Whoever complains sends the transaction itself first: its first node may be gone, and the primary may never have had it. */
  function complain(link: Link<Wait>, now: number): void {
    const wait = link.value
    if (ports.isResent(wait.entry)) {
      overdue.add(link)
      return
    }
    ports.resend(wait.entry, now)
    wait.since = now
    wait.blocks = 0
    waits.push(link)
  }

  return {
    look,
    onBlock(block, taken) {
      if (block.view !== view) {
        view = block.view
        viewSince = block.now
        overdue.clear()
      }
      if (!ports.isRoomy()) return overdue.clear()
      let watched = 0
      for (let link = waits.first, next = link?.next; link !== undefined && watched < WATCHED_MAX; link = next) {
        next = link.next
        watched++
        const wait = link.value
        const start = Math.max(wait.since, viewSince) + GRACE_MS
        if (start > block.proposedAt) break
        if (wait.view !== view) Object.assign(wait, { view, blocks: 0 })
        const { transaction } = wait.entry
        if (isExempt(transaction, block.height)) overdue.delete(link)
        else if (isPassedOver(transaction, start, taken) && ++wait.blocks >= PASSED_OVER_BLOCKS)
          complain(link, block.now)
      }
    },
    view: () => (overdue.size === 0 ? undefined : view),
  }
}
