// EXEC: every executed block is a checkpoint. q matching EXECs are its certificate; the window moves up to the highest block up to
// which every one is certified and executed here (PBFT, section 4.3, with an interval of one).
import type { Certificate, Header } from '../types/block.ts'
import type { Signed } from '../types/message.ts'
import { deliverCommitted } from './commit.ts'
import { accuse } from './evidence.ts'
import { signExec } from './gate.ts'
import { assertInvariant } from './invariants.ts'
import { acceptReproposals, voteOnReproposals } from './new-view.ts'
import { recallPromises } from './restore.ts'
import { type Context, inWindow, type Slot, slotAt } from './state.ts'
import { onCertified, onProgress, shortenTimeout } from './timers.ts'

/** The block at `height` is durable here. */
export function onExecuted(context: Context, header: Header, blockHash: string, certificate?: Certificate): void {
  const { state } = context
  const { height } = header
  assertInvariant(height === state.lastExec + 1, `block ${height} was executed after block ${state.lastExec}`)
  state.lastExec = height
  if (height > state.lastDelivered) onProgress(state)
  state.lastDelivered = Math.max(state.lastDelivered, height)
  const slot = slotAt(state, height)
  slot.block = { header, hash: blockHash }
  if (certificate !== undefined) {
    onCertificate(context, certificate)
  } else {
    for (const vote of slot.execs.values()) compare(context, slot, vote)
    if (state.voting && !state.diverged) {
      const vote = signExec(context, height, blockHash)
      context.effects.send.push({ to: 'all', message: { type: 'exec', vote } })
      context.own.push(vote)
    } else maybeCertified(context, slot)
  }
  deliverCommitted(context)
}

export function onExec(context: Context, vote: Signed<'exec'>): void {
  const { state } = context
  const { height, blockHash } = vote.body
  if (!inWindow(state, height)) return
  const slot = slotAt(state, height)
  const earlier = slot.execs.get(vote.signer)
  if (earlier === undefined) {
    slot.execs.set(vote.signer, vote)
    compare(context, slot, vote)
  } else if (earlier.body.blockHash !== blockHash) accuse(context, { kind: 'exec', first: earlier, second: vote })
  maybeCertified(context, slot)
}

/** A certificate verified elsewhere: from a peer, for a block this replica may have executed without one. */
export function onCertificate(context: Context, certificate: Certificate): void {
  const { state } = context
  if (certificate.height <= state.h || certificate.height > state.lastExec) return
  certify(context, slotAt(state, certificate.height), certificate)
}

/** An EXEC that differs from ours is news even while no certificate decides who is right. */
function compare(context: Context, slot: Slot, vote: Signed<'exec'>): void {
  const theirs = vote.body.blockHash
  const ours = slot.block?.hash
  if (ours === undefined || theirs === ours) return
  context.effects.deliver.push({ type: 'mismatch', height: slot.seq, validator: vote.signer, theirs, ours })
}

function maybeCertified(context: Context, slot: Slot): void {
  const { state } = context
  if (slot.block === undefined) return
  const byHash = new Map<string, Signed<'exec'>[]>()
  for (const vote of slot.execs.values()) {
    const votes = byHash.get(vote.body.blockHash) ?? []
    votes.push(vote)
    byHash.set(vote.body.blockHash, votes)
  }
  for (const [blockHash, votes] of byHash) {
    if (votes.length < state.quorum) continue
    votes.sort((a, b) => a.signer - b.signer)
    const signatures = votes.slice(0, state.quorum).map(({ signer, signature }) => ({ signer, signature }))
    certify(context, slot, { height: slot.seq, blockHash, signatures })
    return
  }
}

function certify(context: Context, slot: Slot, certificate: Certificate): void {
  const { state, effects } = context
  if (slot.certificate !== undefined) return
  if (certificate.blockHash !== slot.block?.hash) {
    if (!state.diverged && slot.block !== undefined) {
      state.diverged = true
      state.voting = false
      effects.deliver.push({ type: 'diverged', certificate, ours: slot.block.hash })
    }
    return
  }
  slot.certificate = certificate
  advance(context)
}

/** Moves the window up block by block, so that every height keeps a certificate of its own. */
function advance(context: Context): void {
  const { state, effects } = context
  const before = state.h
  for (;;) {
    const { certificate, block } = state.slots.get(state.h + 1) ?? {}
    if (certificate === undefined || block === undefined) break
    state.h++
    state.slots.delete(state.h)
    state.certified = { header: block.header, certificate }
    shortenTimeout(state)
    onCertified(state)
    effects.deliver.push({ type: 'certified', certificate })
  }
  recallPromises(context)
  if (state.h > before && state.active && acceptReproposals(state).length > 0) voteOnReproposals(context)
}
