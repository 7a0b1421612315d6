// The core's memory stays within docs/protocol.md's bounds, whatever arrives.
import type { State } from '../consensus/state.ts'
import { FETCH_BLOCKS_MAX } from '../limits.ts'

/** Looking at every slot after every step would cost more than the steps: the sum is looked at each time, each slot now and then. */
const DEEP_EVERY = 32
/** Two answers are executed at a time. */
const CATCHING_UP_BLOCKS_MAX = 2 * FETCH_BLOCKS_MAX

export function createBoundsCheck(): (state: Readonly<State>, steps: number) => string | undefined {
  return (state, steps) => {
    const { windowBlocks } = state.epoch.parameters
    // A crash can lose the certificates of blocks that catching up has executed: they may reach beyond the window.
    const slotsMax = Math.max(windowBlocks, Math.min(state.lastExec - state.h, CATCHING_UP_BLOCKS_MAX))
    if (state.slots.size > slotsMax) return `${state.slots.size} slots for a window of ${windowBlocks}`
    return steps % DEEP_EVERY === 0 ? deepFault(state) : undefined
  }
}

function deepFault(state: Readonly<State>): string | undefined {
  const validators = state.epoch.validators.length
  // The current view, the one left last, and one newest future view of each peer.
  const viewsMax = validators + 2
  if (state.statuses.size > validators) return `${state.statuses.size} statuses of ${validators} validators`
  for (const { seq, accepted, prepares, commits, execs } of state.slots.values()) {
    if (execs.size > validators) return `${execs.size} EXECs at ${seq}`
    for (const votes of [prepares, commits]) {
      if (votes.size > viewsMax) return `votes of ${votes.size} views at ${seq}`
      for (const inView of votes.values()) if (inView.size > validators) return `${inView.size} votes at ${seq}`
    }
    if (accepted.size > viewsMax) return `proposals of ${accepted.size} views at ${seq}`
  }
  return undefined
}
