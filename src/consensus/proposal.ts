// PRE-PREPARE: proposing, and accepting what the proposer proposed (PBFT, section 4.2).
import type { Batch } from '../types/block.ts'
import type { Proposal } from '../types/message.ts'
import type { Body } from './event.ts'
import { reportConflict } from './evidence.ts'
import { signPrePrepare, signPrepare } from './gate.ts'
import { proposerOf } from './proposer.ts'
import { type Context, inWindow, type Slot, type State, slotAt } from './state.ts'

/** The sequence this replica may propose now, or undefined: not its turn, W in flight, or the window is full. */
export function proposalSlot(state: State): number | undefined {
  if (!state.voting || !state.active || inFlight(state) >= state.epoch.parameters.inFlightBlocks) return undefined
  for (let seq = state.lastDelivered + 1; inWindow(state, seq); seq++) {
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
  const prepare = signPrepare(context, seq, body.digest)
  const proposal: Proposal = { prePrepare, prepare, batch: body.bytes }
  accept(context, slotAt(state, seq), proposal, body)
  context.effects.send.push({ to: 'all', message: { type: 'proposal', ...proposal } })
  context.own.push(prepare)
}

/** A verified proposal: its signatures are the proposer's, its digest is its batch's, its batch is statelessly valid. */
export function onProposal(context: Context, proposal: Proposal, batch: Batch): void {
  const { state } = context
  const { view, seq, digest } = proposal.prePrepare.body
  if (!inWindow(state, seq) || view !== state.view || !state.active) return
  const proposer = proposerOf(state.epoch, view, seq)
  if (proposal.prePrepare.signer !== proposer || proposal.prepare.signer !== proposer) return
  const { prepare } = proposal
  if (prepare.body.view !== view || prepare.body.seq !== seq || prepare.body.digest !== digest) return
  const slot = slotAt(state, seq)
  const earlier = slot.accepted.get(view)
  if (earlier !== undefined) {
    if (earlier.body.digest !== digest)
      reportConflict(context, 'proposal', earlier.proposal.prePrepare, proposal.prePrepare)
    return
  }
  if (!isTimely(state, batch) || batch.view !== view) return
  if (batch.proposer !== state.epoch.validators[proposer]?.key) return
  accept(context, slot, proposal, { digest, batch, bytes: proposal.batch })
  context.own.push(prepare)
  if (!state.voting || proposer === state.self) return
  const vote = signPrepare(context, seq, digest)
  context.effects.send.push({ to: 'all', message: { type: 'prepare', vote } })
  context.own.push(vote)
}

/** Proposed time is judged once, at the first PREPARE: within [now - D - P, now + P]. Until views change only the upper end binds. */
function isTimely(state: State, batch: Batch): boolean {
  return batch.time <= state.now + state.epoch.parameters.timeAheadMs
}

/** Keeps the proposal and its batch; the record comes before any PREPARE's in the same save. */
function accept(context: Context, slot: Slot, proposal: Proposal, body: Body): void {
  const { state, effects } = context
  slot.accepted.set(proposal.prePrepare.body.view, { proposal, body })
  if (!state.voting) return
  effects.save.push({ type: 'proposal', genesisHash: state.genesisHash, epoch: state.epoch.epoch, proposal })
}
