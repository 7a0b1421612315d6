// SUSPECT: "I want to leave this view". One impatient replica moves nobody: it takes f+1 of them, so a correct one among them.
import type { Signed } from '../types/message.ts'
import { signSuspect } from './gate.ts'
import { primaryOf } from './proposer.ts'
import type { Context, State, SuspicionCause } from './state.ts'
import { enterView } from './view-change.ts'

/** A SUSPECT counts this long unless it is sent again. */
const LAPSES_AFTER_MS = 3_000
const SEND_EVERY_MS = 1_000

const LASTING: Record<SuspicionCause, number> = { progress: 0, certificates: 0, complaint: 1, 'new-view': 2, proof: 2 }

/** This replica wants to leave its view, and says so until the cause is gone. */
export function suspect(context: Context, cause: SuspicionCause): void {
  const { state } = context
  if (!state.voting) return
  if (state.suspicion?.view === state.view) {
    // What is proven does not pass with the next commit, nor what is passed over with the next block.
    if (LASTING[cause] > LASTING[state.suspicion.cause]) state.suspicion.cause = cause
    return
  }
  state.suspicion = { view: state.view, cause, sentAt: state.at }
  send(context)
}

/** The cause is gone: the suspicion with it, unless it has another. */
export function endSuspicion(state: State, cause: 'progress' | 'certificates' | 'complaint'): void {
  if (state.suspicion?.cause === cause) state.suspicion = undefined
}

export function suspectAgain(context: Context): void {
  const { suspicion, at } = context.state
  if (suspicion === undefined || at - suspicion.sentAt < SEND_EVERY_MS) return
  suspicion.sentAt = at
  send(context)
}

function send(context: Context): void {
  const vote = signSuspect(context, context.state.view)
  context.effects.send.push({ to: 'all', message: { type: 'suspect', vote } })
  context.own.push(vote)
}

export function onSuspect(context: Context, vote: Signed<'suspect'>): void {
  const { state } = context
  const { view } = vote.body
  const earlier = state.suspects.get(vote.signer)
  if (earlier !== undefined && earlier.view > view) return
  state.suspects.set(vote.signer, { view, at: state.at })
  maybeLeaveView(context)
}

/** Enters the view above the highest one that f+1 validators want to leave. */
export function maybeLeaveView(context: Context): void {
  const { state } = context
  const wanted = suspectedViews(state)[state.weakQuorum - 1]
  if (wanted !== undefined && wanted >= state.view && state.voting) enterView(context, wanted + 1)
}

/** The highest view each validator wants to leave, highest first. A VIEW-CHANGE to v says so of v-1 and never lapses. */
function suspectedViews(state: State): number[] {
  const views = new Map<number, number>()
  for (const [signer, { view, at }] of state.suspects) if (state.at - at <= LAPSES_AFTER_MS) views.set(signer, view)
  for (const [signer, change] of state.viewChanges) {
    views.set(signer, Math.max(views.get(signer) ?? 0, change.vote.body.newView - 1))
  }
  return [...views.values()].sort((a, b) => b - a)
}

/** A proven contradiction is a cause to leave a view when it is its primary's. */
export function suspectPrimary(context: Context, { signer, body }: Signed<'prepare'> | Signed<'commit'>): void {
  const { state } = context
  if (body.view === state.view && signer === primaryOf(state.epoch, state.view)) suspect(context, 'proof')
}
