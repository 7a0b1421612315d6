// VIEW-CHANGE: leaving a view with proof of all that may have been decided in it (PBFT, section 4.4).

import { saysSame } from '../crypto/contradiction.ts'
import { evidenceHashes, isValidViewChange } from '../crypto/view-change-rules.ts'
import type { ViewChange } from '../types/message.ts'
import { accuse, accuseForgetfulChange } from './evidence.ts'
import { signViewChange } from './gate.ts'
import { maybeSendNewView } from './new-view.ts'
import { type Context, ownerOf, type Slot, type State, slotsInOrder } from './state.ts'
import { maybeLeaveView } from './suspect.ts'
import { lengthenTimeout } from './timers.ts'

export { evidenceHashes } from '../crypto/view-change-rules.ts'

/** Leaves the current view: no PREPARE or COMMIT in older views from here on. */
export function enterView(context: Context, view: number): void {
  const { state, effects } = context
  moveToView(state, view)
  state.active = false
  lengthenTimeout(state)
  effects.deliver.push({ type: 'view', view, active: false })
  if (!state.voting) return
  const evidence = {
    header: state.certified?.header ?? null,
    certificate: state.certified?.certificate ?? null,
    prepared: slotsInOrder(state).flatMap(({ seq, prepared }) =>
      prepared === undefined || seq <= state.h ? [] : [prepared],
    ),
  }
  const change: ViewChange = { vote: signViewChange(context, view, evidenceHashes(evidence)), ...evidence }
  effects.save.push({ type: 'view-change', ...ownerOf(state), change })
  effects.send.push({ to: 'all', message: { type: 'view-change', change } })
  context.own.push({ type: 'own-view-change', change })
}

/** Changes the view and forgets what belonged to older ones: votes, but not COMMITs of the view just left nor prepared certificates. */
export function moveToView(state: State, view: number): void {
  state.lastLeftView = state.view
  state.view = view
  state.suspicion = undefined
  state.progressDeadline = undefined
  state.certifyDeadline = undefined
  state.newViewDeadline = undefined
  state.sought.clear()
  state.reproposals = { min: 0, max: 0, digests: new Map() }
  for (const slot of state.slots.values()) {
    const { accepted, prepares, commits } = slot
    forgetBodies(slot, state.lastLeftView)
    for (const old of accepted.keys()) if (old < view) accepted.delete(old)
    for (const old of prepares.keys()) if (old < view) prepares.delete(old)
    for (const old of commits.keys()) if (old < state.lastLeftView) commits.delete(old)
  }
}

/** Keeps the batches that may come back: prepared, committed, executed, or accepted in the view just left. */
function forgetBodies({ accepted, bodies, prepared, committed, block }: Slot, lastView: number): void {
  const kept = new Set([prepared?.digest, committed?.digest, block?.header.batchDigest, accepted.get(lastView)?.digest])
  for (const digest of bodies.keys()) if (!kept.has(digest)) bodies.delete(digest)
}

export function onViewChange(context: Context, change: ViewChange): void {
  const { state } = context
  const { signer, body } = change.vote
  if (!isValidViewChange(state, change)) return
  const earlier = state.viewChanges.get(signer)
  if (earlier !== undefined && earlier.vote.body.newView >= body.newView) {
    if (earlier.vote.body.newView === body.newView && !saysSame(earlier.vote, change.vote))
      accuse(context, { kind: 'view-change', first: earlier.vote, second: change.vote })
    return
  }
  accuseForgetfulChange(context, change)
  state.viewChanges.set(signer, change)
  maybeLeaveView(context)
  if (state.active) return
  if (state.newViewDeadline === undefined && countLeft(state) >= state.quorum) {
    state.newViewDeadline = state.at + state.timeoutMs
  }
  maybeSendNewView(context)
}

/** Validators that have left every view below this one: one that went on to a higher view has left this one's start too. */
function countLeft(state: State): number {
  return [...state.viewChanges.values()].filter((change) => change.vote.body.newView >= state.view).length
}

/** The VIEW-CHANGEs to a view, in signer order. */
export function viewChangesFor(state: State, view: number): ViewChange[] {
  const changes = [...state.viewChanges.values()].filter((change) => change.vote.body.newView === view)
  return changes.sort((a, b) => a.vote.signer - b.vote.signer)
}
