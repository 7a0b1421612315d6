// Which executed blocks are held against a primary that leaves transactions out (docs/protocol.md, rule 30).
import { primaryOf } from './consensus/proposer.ts'
import type { State } from './consensus/state.ts'
import type { PassingBlock } from './mempool/mempool.ts'
import type { Clock } from './replica.ts'
import type { Header } from './types/block.ts'

/**
 * A block of the current primary's that the current view ordered before this node's eyes, on this node's clock. Blocks of earlier views,
 * null blocks and fetched ones say nothing of this primary. The proposed time is its own word, so it counts only as far back as
 * view 0 would take it: one that dates its blocks back gains seconds.
 */
export function passingBlockOf(
  { height, proposer, time }: Pick<Header, 'height' | 'proposer' | 'time'>,
  { view, slots, epoch }: Pick<State, 'view' | 'slots' | 'epoch'>,
  clock: Pick<Clock, 'now' | 'monotonic'>,
): PassingBlock | undefined {
  const isLive = slots.get(height)?.committed?.view === view
  if (!isLive || proposer !== epoch.validators[primaryOf(epoch, view)]!.key) return undefined
  const { timePastMs, timeAheadMs } = epoch.parameters
  const now = clock.monotonic()
  const age = Math.min(Math.max(0, clock.now() - time), timePastMs + timeAheadMs)
  return { height, view, now, proposedAt: now - age }
}
