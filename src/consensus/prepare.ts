// PREPARE: q of them over identical bytes make a prepared certificate (PBFT, section 4.2).
import type { Prepared, Signed } from '../types/message.ts'
import { reportConflict } from './evidence.ts'
import { signCommit } from './gate.ts'
import { addVote, type Context, inWindow, type Slot, slotAt, votesFor } from './state.ts'

export function onPrepare(context: Context, vote: Signed<'prepare'>): void {
  const { state } = context
  const { view, seq, digest } = vote.body
  if (!inWindow(state, seq) || view !== state.view) return
  const slot = slotAt(state, seq)
  const earlier = addVote(slot.prepares, view, vote)
  if (earlier !== undefined && earlier.body.digest !== digest) reportConflict(context, 'prepare', earlier, vote)
  // A vote seen before may still complete a quorum: the proposal it waited for can arrive after it.
  maybePrepared(context, slot, view)
}

function maybePrepared(context: Context, slot: Slot, view: number): void {
  const { state } = context
  const digest = slot.accepted.get(view)?.body.digest
  if (digest === undefined || (slot.prepared !== undefined && slot.prepared.view >= view)) return
  const votes = votesFor(slot.prepares, view, digest)
  if (votes.length < state.quorum) return
  const prepared: Prepared = { view, seq: slot.seq, digest, votes: votes.slice(0, state.quorum) }
  slot.prepared = prepared
  if (!state.voting || !state.active) return
  const vote = signCommit(context, slot.seq, prepared)
  context.effects.send.push({ to: 'all', message: { type: 'commit', vote } })
  context.own.push(vote)
}
