// STATUS: the only retransmission. A validator says where it is; the others send again, from memory, the signed messages it lacks.
// Blocks it lacks it fetches itself (network/fetch.ts), each with its certificate.
import type { Message, Status } from '../types/message.ts'
import { type Context, type Slot, type State, slotsInOrder } from './state.ts'

/** Batches resent for one STATUS, of those the peer lacks and of those it executed: the lowest missing ones unblock the rest, and a flood of STATUS costs little. */
const BATCHES_RESENT_MAX = 2
const ANSWER_EVERY_MS = 500

export function statusOf(state: State): Status {
  const { view, active, h, lastExec } = state
  return { epoch: state.epoch.epoch, view, active, h, lastExec }
}

/** Answers only a validator that stands still: one that moved since its last STATUS is being served by the normal case. */
export function onStatus(context: Context, from: number, status: Status): void {
  const { state } = context
  const last = state.statuses.get(from)
  state.statuses.set(from, status)
  if (from === state.self || status.epoch !== state.epoch.epoch) return
  if (state.at - (state.answeredAt.get(from) ?? Number.NEGATIVE_INFINITY) < ANSWER_EVERY_MS) return
  state.answeredAt.set(from, state.at)
  for (const message of missingViews(state, status)) context.effects.send.push({ to: from, message })
  if (last !== undefined && (last.h !== status.h || last.lastExec !== status.lastExec)) return
  for (const message of missingVotes(state, status)) context.effects.send.push({ to: from, message })
}

/** What brings the peer into this replica's view: the NEW-VIEW where it is active, else its own VIEW-CHANGE. */
function missingViews(state: State, status: Status): Message[] {
  if (status.view > state.view || (status.view === state.view && status.active)) return []
  if (state.active) return state.newView === undefined ? [] : [{ type: 'new-view', newView: state.newView }]
  const change = ownVote(state, state.viewChanges)
  return change === undefined ? [] : [{ type: 'view-change', change }]
}

/** A peer that reconnected starts afresh: its next STATUS is answered at once. */
export function forgetStatus(state: State, from: number): void {
  state.statuses.delete(from)
  state.answeredAt.delete(from)
}

/** Own votes and accepted proposals above what the peer has, lowest sequence first. */
function missingVotes(state: State, status: Status): Message[] {
  const messages: Message[] = []
  const batches = { lacked: 0, executed: 0 }
  for (const slot of slotsInOrder(state)) {
    if (slot.seq <= status.h) continue
    const exec = ownVote(state, slot.execs)
    if (exec !== undefined) messages.push({ type: 'exec', vote: exec })
    const accepted = slot.accepted.get(state.view)
    // Also of what it has executed: one that decided on COMMITs alone owes its own votes, and needs the proposal and PREPAREs for them.
    const kind = slot.seq > status.lastExec ? 'lacked' : 'executed'
    if (accepted?.proposal !== undefined && batches[kind]++ < BATCHES_RESENT_MAX) {
      messages.push({ type: 'proposal', ...accepted.proposal })
    }
    messages.push(...slotVotes(state, slot))
  }
  return messages
}

function slotVotes(state: State, slot: Slot): Message[] {
  const prepare = ownVote(state, slot.prepares.get(state.view))
  const commit = ownVote(state, slot.commits.get(state.view))
  return [
    ...(prepare === undefined ? [] : [{ type: 'prepare' as const, vote: prepare }]),
    ...(commit === undefined ? [] : [{ type: 'commit' as const, vote: commit }]),
  ]
}

function ownVote<T>(state: State, votes: Map<number, T> | undefined): T | undefined {
  return state.self === undefined ? undefined : votes?.get(state.self)
}
