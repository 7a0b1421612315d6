// Timers, as events: the driver ticks, the core decides what has taken too long (docs/protocol.md, "Timers").
import { askForBodies } from './body.ts'
import type { Event } from './event.ts'
import type { Context, State } from './state.ts'
import { endSuspicion, suspect, suspectAgain } from './suspect.ts'

export function onTick(context: Context, tick: Omit<Extract<Event, { type: 'tick' }>, 'type'>): void {
  const { state } = context
  state.now = tick.now
  state.at = tick.at
  askForBodies(context)
  if (!state.voting) return
  if (state.active) {
    watchProgress(context, tick.hasWork)
    watchCertificates(context)
    watchComplaint(context, tick.passedOverIn)
  } else watchNewView(context)
  suspectAgain(context)
}

/** Runs only while this view is active and has something to do; it starts again whenever the lowest open sequence commits. */
function watchProgress(context: Context, hasWork: boolean): void {
  const { state } = context
  if (!isWorkOpen(state, hasWork)) {
    state.progressDeadline = undefined
    endSuspicion(state, 'progress')
    return
  }
  state.progressDeadline ??= state.at + state.timeoutMs
  if (state.at >= state.progressDeadline) suspect(context, 'progress')
}

/**
 * Executed blocks that a quorum does not vouch for in good time: some validator cannot execute them, and what it lacks is too old to be
 * proposed to it again. A new view proposes it to everyone. Execution may be slow on some, so the patience is longer.
 */
function watchCertificates(context: Context): void {
  const { state } = context
  if (state.lastExec === state.h) return onCertified(state)
  state.certifyDeadline ??= state.at + CERTIFY_TIMEOUTS * state.timeoutMs
  if (state.at >= state.certifyDeadline) suspect(context, 'certificates')
}
const CERTIFY_TIMEOUTS = 5

/** The certified height moved up, or is at the last executed block. */
export function onCertified(state: State): void {
  state.certifyDeadline = undefined
  endSuspicion(state, 'certificates')
}

/** A primary that orders others' transactions and never this one makes progress: only who waits in vain notices. */
function watchComplaint(context: Context, passedOverIn: number | undefined): void {
  if (passedOverIn === context.state.view) suspect(context, 'complaint')
  else endSuspicion(context.state, 'complaint')
}

/**
 * An accepted sequence that is not committed, or pooled transactions while nothing is being executed: those may be in the blocks under
 * way. A window full of committed blocks waits for execution or certificates, which is no fault of the primary.
 */
function isWorkOpen(state: State, hasWork: boolean): boolean {
  const next = state.slots.get(state.lastDelivered + 1)
  if (next?.committed !== undefined) return true
  for (const slot of state.slots.values()) {
    if (slot.seq > state.lastDelivered && slot.accepted.has(state.view) && slot.committed === undefined) return true
  }
  const isWindowFull = state.lastDelivered >= state.h + state.epoch.parameters.windowBlocks
  return hasWork && state.lastDelivered === state.lastExec && !isWindowFull
}

/** Started by the q-th VIEW-CHANGE for the view; below a quorum there is only retransmission, never the next view. */
function watchNewView(context: Context): void {
  const { state } = context
  if (state.newViewDeadline !== undefined && state.at >= state.newViewDeadline) suspect(context, 'new-view')
}

/** The lowest open sequence committed. */
export function onProgress(state: State): void {
  state.progressDeadline = undefined
  endSuspicion(state, 'progress')
}

/** A view failed: the next one gets twice the time, up to the cap. */
export function lengthenTimeout(state: State): void {
  state.timeoutMs = Math.min(state.timeoutMs * 2, state.epoch.parameters.timeoutMaxMs)
}

/** A block was certified: back towards the base, not to it at once. */
export function shortenTimeout(state: State): void {
  state.timeoutMs = Math.max(Math.floor(state.timeoutMs / 2), state.epoch.parameters.progressTimeoutMs)
}
