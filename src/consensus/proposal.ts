// PRE-PREPARE: proposing, and accepting what the proposer proposed (PBFT, section 4.2).
import type { Batch } from '../types/block.ts'
import type { Proposal } from '../types/message.ts'
import type { Body } from './event.ts'
import { accuse } from './evidence.ts'
import { signPrePrepare } from './gate.ts'
import { vote } from './prepare.ts'
import { proposerOf } from './proposer.ts'
import { type Context, inWindow, ownerOf, type Slot, type State, slotAt } from './state.ts'
import { suspect } from './suspect.ts'

/** The sequence this replica may propose now, or undefined: not its turn, W in flight, or the window is full. */
export function proposalSlot(state: State): number | undefined {
  if (!state.voting || !state.active || inFlight(state) >= state.epoch.parameters.inFlightBlocks) return undefined
  // What the NEW-VIEW fixed is not this view's to propose, the part of it beyond this replica's window included.
  for (let seq = Math.max(state.lastDelivered, state.reproposals.max) + 1; inWindow(state, seq); seq++) {
    const slot = state.slots.get(seq)
    if (slot?.committed !== undefined || slot?.accepted.has(state.view)) continue
    return proposerOf(state.epoch, state.view, seq) === state.self ? seq : undefined
  }
  return undefined
}

/** Sequences proposed in this view and not yet committed. */
export function inFlight(state: State): number {
  let count = 0
  for (const slot of state.slots.values()) if (slot.accepted.has(state.view) && slot.committed === undefined) count++
  return count
}

/** Proposes a batch of this replica's own: it goes through the same record and the same votes as anyone's. */
export function onPropose(context: Context, body: Body): void {
  const { state } = context
  const seq = proposalSlot(state)
  if (seq === undefined) return
  const prePrepare = signPrePrepare(context, seq, body.digest)
  const slot = slotAt(state, seq)
  const prepare = vote(context, slot, body.digest, true)
  const proposal: Proposal = { prePrepare, prepare, batch: body.bytes }
  accept(context, slot, proposal, body)
  context.effects.send.push({ to: 'all', message: { type: 'proposal', ...proposal } })
}

/** A verified proposal: its signatures are the proposer's, its digest is its batch's, its batch is statelessly valid. */
export function onProposal(context: Context, proposal: Proposal, batch: Batch): void {
  const { state } = context
  const { view, seq, digest } = proposal.prePrepare.body
  if (!inWindow(state, seq) || view !== state.view || !state.active || seq <= state.reproposals.max) return
  const proposer = proposerOf(state.epoch, view, seq)
  if (proposal.prePrepare.signer !== proposer || proposal.prepare.signer !== proposer) return
  const { prepare } = proposal
  if (prepare.body.view !== view || prepare.body.seq !== seq || prepare.body.digest !== digest) return
  const slot = slotAt(state, seq)
  const earlier = slot.accepted.get(view)
  if (earlier !== undefined) {
    if (earlier.digest === digest || earlier.proposal === undefined) return
    accuse(context, { kind: 'proposal', first: earlier.proposal.prePrepare, second: proposal.prePrepare })
    suspect(context, 'proof')
    return
  }
  if (!isTimely(state, batch) || batch.view !== view) return
  if (batch.proposer !== state.epoch.validators[proposer]?.key) return
  accept(context, slot, proposal, { digest, batch, bytes: proposal.batch })
  context.own.push(prepare)
  if (!state.voting || proposer === state.self) return
  const own = vote(context, slot, digest)
  context.effects.send.push({ to: 'all', message: { type: 'prepare', vote: own } })
}

/** Proposed time is judged once, at the first PREPARE: within [now - D - P, now + P], D doubling with each view. */
function isTimely({ now, view, epoch }: State, batch: Batch): boolean {
  const { timePastMs, timeAheadMs } = epoch.parameters
  const oldest = now - timePastMs * 2 ** Math.min(view, 20) - timeAheadMs
  return batch.time >= oldest && batch.time <= now + timeAheadMs
}

/** Keeps the proposal and its batch; its record stands before any PREPARE's in the same save or is part of it. */
function accept(context: Context, slot: Slot, proposal: Proposal, body: Body): void {
  const { state, effects } = context
  slot.accepted.set(proposal.prePrepare.body.view, { digest: body.digest, proposal })
  slot.bodies.set(body.digest, body)
  if (state.voting) effects.save.push({ type: 'proposal', ...ownerOf(state), proposal })
}
