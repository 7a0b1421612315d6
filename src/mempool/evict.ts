// What a full pool gives up for a newcomer, if anything.
//
// First the transaction that is farthest from running, provided it is farther than the newcomer. Where everything pending can run,
// an executable newcomer takes the place of the last transaction of the sender with the most, provided that sender keeps at least
// as many as the newcomer's would then have. So nothing executable ever goes for something that is not, and no sender crowds out
// those with fewer transactions.
import { type Entry, farthest } from './lane.ts'
import type { Store } from './store.ts'

/** Where a newcomer stands: how far it is from running (0: now), and how many its sender has pending. */
export interface Standing {
  distance: number
  pending: number
}

export function findVictim(store: Store, newcomer: Standing): Entry | undefined {
  const waiting = store.waiting.top()
  if (waiting !== undefined && waiting.level > 0) {
    const lane = waiting.value
    return farthest(lane) > newcomer.distance ? lane.entries.get(lane.highest) : undefined
  }
  const largest = store.sizes.top()
  if (newcomer.distance > 0 || largest === undefined || largest.level < newcomer.pending + 2) return undefined
  return largest.value.entries.get(largest.value.highest)
}
