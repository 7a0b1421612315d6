// PREPARE: q of them over identical bytes make a prepared certificate (PBFT, section 4.2).
import type { Prepared, Signed } from '../types/message.ts'
import { accuse } from './evidence.ts'
import { signCommit, signPrepare } from './gate.ts'
import { addVote, type Context, inWindow, keepsView, type Slot, slotAt, votesFor } from './state.ts'
import { suspectPrimary } from './suspect.ts'

/** Signs this replica's PREPARE for what the slot has accepted and counts it. The caller sends it. */
export function vote(context: Context, slot: Slot, digest: string, isOwnProposal = false): Signed<'prepare'> {
  const own = signPrepare(context, slot.seq, digest, isOwnProposal)
  context.own.push(own)
  return own
}

export function onPrepare(context: Context, prepare: Signed<'prepare'>): void {
  const { state } = context
  const { view, seq, digest } = prepare.body
  if (!inWindow(state, seq) || !keepsView(state, 'prepare', prepare.signer, view)) return
  const slot = slotAt(state, seq)
  const earlier = addVote(slot.prepares, view, prepare)
  if (earlier !== undefined && earlier.body.digest !== digest) {
    accuse(context, { kind: 'prepare', first: earlier, second: prepare })
    suspectPrimary(context, prepare)
  }
  // A vote seen before may still complete a quorum: the proposal it waited for can arrive after it.
  maybePrepared(context, slot)
}

/** COMMITs once q replicas prepared what this one accepted, and its batch is here. */
export function maybePrepared(context: Context, slot: Slot): void {
  const { state } = context
  const { view } = state
  const digest = slot.accepted.get(view)?.digest
  if (digest === undefined || !state.active || !slot.bodies.has(digest)) return
  if (slot.prepared === undefined || slot.prepared.view < view) {
    const votes = votesFor(slot.prepares, view, digest)
    if (votes.length < state.quorum) return
    const signatures = votes.slice(0, state.quorum).map(({ signer, signature }) => ({ signer, signature }))
    const prepared: Prepared = { view, seq: slot.seq, digest, signatures }
    slot.prepared = prepared
  } else if (slot.prepared.view > view) return
  if (!state.voting || (state.self !== undefined && slot.commits.get(view)?.has(state.self))) return
  const own = signCommit(context, slot.seq, slot.prepared)
  context.effects.send.push({ to: 'all', message: { type: 'commit', vote: own } })
  context.own.push(own)
}
