// COMMIT: q of them for one (view, sequence, digest), in any view, decide the sequence; decided sequences are executed in order.
import type { Signed } from '../types/message.ts'
import { askForBodies } from './body.ts'
import { accuse, accuseForgottenCommit } from './evidence.ts'
import { assertInvariant } from './invariants.ts'
import { addVote, type Context, inWindow, keepsView, slotAt, votesFor } from './state.ts'
import { suspectPrimary } from './suspect.ts'
import { onProgress } from './timers.ts'

export function onCommit(context: Context, vote: Signed<'commit'>): void {
  const { state } = context
  const { view, seq, digest } = vote.body
  if (!inWindow(state, seq) || !keepsView(state, 'commit', vote.signer, view)) return
  const slot = slotAt(state, seq)
  const earlier = addVote(slot.commits, view, vote)
  if (earlier === undefined) accuseForgottenCommit(context, vote)
  else if (earlier.body.digest !== digest) {
    accuse(context, { kind: 'commit', first: earlier, second: vote })
    suspectPrimary(context, vote)
  }
  if (votesFor(slot.commits, view, digest).length < state.quorum) return
  assertInvariant(
    slot.committed === undefined || slot.committed.digest === digest,
    `two digests committed at sequence ${seq}: more validators are faulty than the network tolerates`,
  )
  slot.committed ??= { view, digest }
  deliverCommitted(context)
}

/** Hands over for execution every sequence that is next in order, committed, and whose batch is here. */
export function deliverCommitted(context: Context): void {
  const { state, effects } = context
  if (state.diverged) return
  for (;;) {
    const slot = state.slots.get(state.lastDelivered + 1)
    if (slot?.committed === undefined) return
    const body = slot.bodies.get(slot.committed.digest)
    if (body === undefined) return askForBodies(context)
    state.lastDelivered = slot.seq
    effects.deliver.push({ type: 'execute', seq: slot.seq, body })
    onProgress(state)
  }
}
