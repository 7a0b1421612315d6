// NEW-VIEW: the new primary shows q VIEW-CHANGEs; what they oblige everyone to propose again is recomputed by everyone (PBFT, 4.4).

import { isContradiction } from '../crypto/contradiction.ts'
import { hashOfViewChanges, isValidNewView } from '../crypto/view-change-rules.ts'
import { ZERO_HASH } from '../types/block.ts'
import type { NewView, ViewChange } from '../types/message.ts'
import { askForBodies, NULL_BODY } from './body.ts'
import { accuse } from './evidence.ts'
import { signNewView } from './gate.ts'
import { assertInvariant } from './invariants.ts'
import { maybePrepared, vote } from './prepare.ts'
import { primaryOf } from './proposer.ts'
import { type Context, inWindow, ownerOf, type Reproposals, type Slot, type State, slotAt } from './state.ts'
import { suspect } from './suspect.ts'
import { moveToView, viewChangesFor } from './view-change.ts'

/**
 * The primary of the view this replica has entered sends NEW-VIEW once q VIEW-CHANGEs are here, and every batch that they oblige everyone
 * to propose again.
 */
export function maybeSendNewView(context: Context): void {
  const { state, effects } = context
  if (state.active || !state.voting || primaryOf(state.epoch, state.view) !== state.self) return
  const viewChanges = chooseViewChanges(state)
  if (viewChanges === undefined) return askForBodies(context)
  const newView: NewView = { vote: signNewView(context, hashOfViewChanges(viewChanges)), viewChanges }
  effects.send.push({ to: 'all', message: { type: 'new-view', newView } })
  activate(context, newView)
}

/**
 * q VIEW-CHANGEs whose batches are here, or undefined with the missing ones noted in `state.sought`. A liar can hold the certificate of a
 * batch that it alone still has, and would stop each view that builds on it; any q VIEW-CHANGEs are as safe as any other (Castro and
 * Liskov, "Practical Byzantine Fault Tolerance and Proactive Recovery", TOCS 2002, 4.3: the new primary's log must hold what it
 * chooses), and those of the correct replicas, each of which has its own batches, are q.
 */
function chooseViewChanges(state: State): ViewChange[] | undefined {
  state.sought.clear()
  let candidates = viewChangesFor(state, state.view)
  while (candidates.length >= state.quorum) {
    const chosen = candidates.slice(0, state.quorum)
    const missing = missingOf(state, reproposalsOf(chosen))
    if (missing.size === 0) return chosen
    for (const [seq, digest] of missing) {
      slotAt(state, seq)
      state.sought.set(digest, seq)
    }
    candidates = candidates.filter(({ prepared }) => prepared.every(({ seq, digest }) => missing.get(seq) !== digest))
  }
  return undefined
}

/** Batches that this replica would need to vote on these and has not. */
function missingOf(state: State, { digests }: Reproposals): Map<number, string> {
  const isMissing = ([seq, digest]: [number, string]) => {
    if (digest === ZERO_HASH || !inWindow(state, seq)) return false
    const slot = state.slots.get(seq)
    return slot?.block === undefined && !slot?.bodies.has(digest)
  }
  return new Map([...digests].filter(isMissing))
}

export function onNewView(context: Context, newView: NewView): void {
  const { state } = context
  const { view } = newView.vote.body
  if (view < state.view || (view === state.view && state.active)) return
  if (newView.vote.signer !== primaryOf(state.epoch, view)) return
  if (isValidNewView(state, newView)) return activate(context, newView)
  if (view !== state.view || !isContradiction({ kind: 'new-view', first: newView, second: null }, state)) return
  accuse(context, { kind: 'new-view', first: newView, second: null })
  suspect(context, 'proof')
}

/** Only a valid NEW-VIEW activates a view. It is durable before this replica's first vote in it. */
function activate(context: Context, newView: NewView): void {
  const { state, effects } = context
  installNewView(state, newView)
  if (state.voting) effects.save.push({ type: 'new-view', ...ownerOf(state), newView })
  effects.deliver.push({ type: 'view', view: state.view, active: true })
  voteOnReproposals(context)
}

/** Takes over the view and what it fixes, before anything is proposed or accepted in it. */
export function installNewView(state: State, newView: NewView): void {
  const { view } = newView.vote.body
  if (view > state.view) moveToView(state, view)
  state.active = true
  state.suspicion = undefined
  state.newViewDeadline = undefined
  state.sought.clear()
  state.newView = newView
  state.reproposals = reproposalsOf(newView.viewChanges)
  acceptReproposals(state)
}

/** Each sequence in (minS, maxS] gets the digest prepared in the highest view, or else the null batch: nobody can have committed it. */
export function reproposalsOf(viewChanges: ViewChange[]): Reproposals {
  const min = Math.max(...viewChanges.map((change) => change.vote.body.h))
  const prepared = viewChanges.flatMap((change) => change.prepared)
  const max = Math.max(min, ...prepared.map(({ seq }) => seq))
  const digests = new Map<number, string>()
  for (let seq = min + 1; seq <= max; seq++) {
    const highest = prepared
      .filter((one) => one.seq === seq)
      .reduce((best, one) => (one.view > best.view ? one : best), NOTHING)
    digests.set(seq, highest.digest)
  }
  return { min, max, digests }
}
const NOTHING = { view: -1, digest: ZERO_HASH }

/** Those within the window become accepted proposals; the rest follow as the window moves up. */
export function acceptReproposals(state: State): Slot[] {
  const accepted: Slot[] = []
  for (const [seq, digest] of state.reproposals.digests) {
    if (!inWindow(state, seq)) continue
    const slot = slotAt(state, seq)
    if (slot.accepted.has(state.view)) continue
    const decided = slot.committed?.digest ?? slot.block?.header.batchDigest
    if (decided !== undefined && decided !== digest) {
      assertInvariant(
        !isDecidedBefore(slot, state.view),
        `view ${state.view} proposes something else at sequence ${seq} than was decided: more validators are faulty than tolerated`,
      )
      // This view is late: nothing came of its proposal, and a higher one decided.
      continue
    }
    slot.accepted.set(state.view, { digest, proposal: undefined })
    if (digest === ZERO_HASH) slot.bodies.set(ZERO_HASH, NULL_BODY)
    accepted.push(slot)
  }
  return accepted
}

/** In which view a block from before a restart was decided is not known. */
const isDecidedBefore = ({ committed }: Slot, view: number): boolean => committed !== undefined && committed.view < view

/** Votes on every accepted re-proposal whose batch is here, also on those executed already, and asks for the other batches. */
export function voteOnReproposals(context: Context): void {
  const { state } = context
  for (const seq of state.reproposals.digests.keys()) {
    const slot = state.slots.get(seq)
    if (slot !== undefined && inWindow(state, seq)) voteAgain(context, slot)
  }
  askForBodies(context)
}

/** This replica's PREPARE for what a NEW-VIEW fixed at this slot, when it can be cast. */
export function voteAgain(context: Context, slot: Slot): void {
  const { state, effects } = context
  const accepted = slot.accepted.get(state.view)
  if (accepted === undefined || accepted.proposal !== undefined || !slot.bodies.has(accepted.digest)) return
  if (!state.active) return
  if (state.voting) {
    const own = vote(context, slot, accepted.digest)
    effects.send.push({ to: 'all', message: { type: 'prepare', vote: own } })
  }
  maybePrepared(context, slot)
}
