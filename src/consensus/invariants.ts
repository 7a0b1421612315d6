// What must hold after every step, in production too: a broken one stops the process before it can harm the ledger.
import type { State } from './state.ts'

/** A broken promise of this replica's own code or of more than f validators. The process stops with this report. */
export class InvariantError extends Error {
  readonly code = 'INVARIANT'
}

export function assertInvariant(condition: boolean, message: string): asserts condition {
  if (!condition) throw new InvariantError(message)
}

/** Checked after each step: heights in order, nothing kept outside the window, one vote per validator. */
export function checkInvariants(state: State): void {
  const { h, lastExec, lastDelivered, epoch, slots } = state
  const { windowBlocks } = epoch.parameters
  assertInvariant(
    h <= lastExec && lastExec <= lastDelivered,
    `heights out of order: ${h}, ${lastExec}, ${lastDelivered}`,
  )
  // A crash can lose the certificates of blocks that it left executed: they come on top of the window.
  assertInvariant(slots.size <= windowBlocks + lastExec - h, `${slots.size} slots for a window of ${windowBlocks}`)
  assertInvariant(state.active || state.view > 0, 'view 0 is active from the start')
  assertInvariant(!(state.diverged && state.voting), 'a diverged replica must not vote')
}
