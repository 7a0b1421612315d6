// The one place that signs votes. It refuses to sign two different votes for one slot, and every vote it signs for a slot is saved
// before it leaves; asked again for the same vote it gives the saved one (as Diem's safety rules do).
//
// EXEC needs no record: the block it names is durable in the ledger before this is called, and names itself. SUSPECT needs none:
// it promises nothing.
import type { Body, BodyType, Prepared, Signed } from '../types/message.ts'
import { signedBytes } from '../types/message.ts'
import { assertInvariant } from './invariants.ts'
import { addVote, type Context, domainOf, inWindow, ownerOf, slotAt } from './state.ts'

function sign<T extends BodyType>(context: Context, type: T, body: Body<T>): Signed<T> {
  const signer = context.state.self
  assertInvariant(signer !== undefined && context.state.voting, `a replica without a vote was asked to sign ${type}`)
  return { type, body, signer, signature: context.sign(signedBytes(type, body)) }
}

/** Signs the PRE-PREPARE of an own proposal. Its record is the proposal's, saved by the caller with the PREPARE for it. */
export function signPrePrepare(context: Context, seq: number, digest: string): Signed<'pre-prepare'> {
  const { state } = context
  const isTaken = slotAt(state, seq).accepted.has(state.view)
  assertInvariant(!isTaken, `sequence ${seq} already has a proposal in view ${state.view}`)
  return sign(context, 'pre-prepare', { ...domainOf(state), view: state.view, seq, digest })
}

/** Signs a PREPARE, or returns the one already signed for this slot. An own proposal's stands in the proposal's record. */
export function signPrepare(context: Context, seq: number, digest: string, isOwnProposal = false): Signed<'prepare'> {
  const { state } = context
  const saved = ownVote(context, slotAt(state, seq).prepares.get(state.view), seq, digest)
  if (saved !== undefined) return saved
  const vote = sign(context, 'prepare', { ...domainOf(state), view: state.view, seq, digest })
  if (!isOwnProposal) context.effects.save.push({ type: 'prepare', ...ownerOf(state), vote })
  return vote
}

/** Signs a COMMIT on the strength of `prepared`, or returns the one already signed for this slot. */
export function signCommit(context: Context, seq: number, prepared: Prepared): Signed<'commit'> {
  const { state } = context
  const saved = ownVote(context, slotAt(state, seq).commits.get(state.view), seq, prepared.digest)
  if (saved !== undefined) return saved
  const isBacked = prepared.view === state.view && prepared.signatures.length >= state.quorum
  assertInvariant(isBacked, `a COMMIT for ${seq} needs ${state.quorum} PREPAREs of view ${state.view}`)
  const vote = sign(context, 'commit', { ...domainOf(state), view: state.view, seq, digest: prepared.digest })
  context.effects.save.push(
    { type: 'prepared', ...ownerOf(state), prepared },
    { type: 'commit', ...ownerOf(state), vote },
  )
  // It counts from here on: asked for again within this step, the gate gives this one.
  addVote(slotAt(state, seq).commits, state.view, vote)
  return vote
}

/** Signs an EXEC for a block that is durable in the ledger. */
export function signExec(context: Context, height: number, blockHash: string): Signed<'exec'> {
  assertInvariant(height <= context.state.lastExec, `block ${height} is not executed yet`)
  return sign(context, 'exec', { ...domainOf(context.state), height, blockHash })
}

export function signSuspect(context: Context, view: number): Signed<'suspect'> {
  return sign(context, 'suspect', { ...domainOf(context.state), view })
}

/** Signs a VIEW-CHANGE. The caller has left every view below `newView` and saves the whole message, whose bytes are sent again as they are. */
export function signViewChange(
  context: Context,
  newView: number,
  hashes: { certificateHash: string; preparedHash: string },
): Signed<'view-change'> {
  const { state } = context
  const isFirst = !state.active && state.view === newView && !hasOwnViewChange(context, newView)
  assertInvariant(isFirst, `a VIEW-CHANGE to ${newView} was asked for in view ${state.view}`)
  return sign(context, 'view-change', { ...domainOf(state), newView, h: state.h, ...hashes })
}

/** Signs the NEW-VIEW of the current view, once. */
export function signNewView(context: Context, viewChangesHash: string): Signed<'new-view'> {
  const { state } = context
  assertInvariant(!state.active, `view ${state.view} is active already`)
  return sign(context, 'new-view', { ...domainOf(state), view: state.view, viewChangesHash })
}

function hasOwnViewChange({ state }: Context, newView: number): boolean {
  const own = state.self === undefined ? undefined : state.viewChanges.get(state.self)
  return own !== undefined && own.vote.body.newView >= newView
}

function ownVote<T extends Signed<'prepare'> | Signed<'commit'>>(
  context: Context,
  inView: Map<number, T> | undefined,
  seq: number,
  digest: string,
): T | undefined {
  const { state } = context
  assertInvariant(state.active, `a vote for ${seq} was asked for while no view is active`)
  assertInvariant(inWindow(state, seq), `sequence ${seq} is outside the window above ${state.h}`)
  const saved = state.self === undefined ? undefined : inView?.get(state.self)
  assertInvariant(
    saved === undefined || saved.body.digest === digest,
    `a second ${saved?.type} for (${state.view}, ${seq}) would contradict the first`,
  )
  return saved
}
