// Restart: the consensus log's records put every promise back where it was, so the same bytes are sent again and nothing else is signed.
import { batchDigest } from '../crypto/digest.ts'
import { batchCodec, type Header, ZERO_HASH } from '../types/block.ts'
import { type Proposal, preparesOf } from '../types/message.ts'
import { decode, encode } from '../types/schema.ts'
import { NULL_BODY } from './body.ts'
import type { Body } from './event.ts'
import { signExec } from './gate.ts'
import { assertInvariant } from './invariants.ts'
import { installNewView, voteOnReproposals } from './new-view.ts'
import { vote } from './prepare.ts'
import type { LogRecord } from './record.ts'
import {
  addVote,
  type Context,
  domainOf,
  inWindow,
  ownerOf,
  type Slot,
  type State,
  slotAt,
  slotsInOrder,
} from './state.ts'
import { moveToView } from './view-change.ts'

/** A block that was executed here and has no certificate yet: its EXEC is signed again, and its batch may be proposed again. */
export interface UncertifiedBlock {
  header: Header
  hash: string
  /** As in the ledger: {@link batchCodec}'s encoding. */
  batch: Uint8Array
}

/** Applies the records in the order they were written. Those at or below the certified height are history already. */
export function restore(state: State, uncertified: UncertifiedBlock[], records: LogRecord[]): void {
  const bodies: SlotBody[] = []
  for (const { header, hash, batch } of uncertified) {
    const slot = slotAt(state, header.height)
    slot.block = { header, hash }
    bodies.push({ slot, body: bodyOf(batch) })
  }
  for (const record of records) {
    assertInvariant(record.genesisHash === state.genesisHash, 'the consensus log belongs to another network')
    if (record.epoch === state.epoch.epoch) restoreRecord(state, record, bodies)
  }
  setAside(state, records)
  // Last, since entering a view forgets batches, and whether one was kept for being committed no record says.
  for (const { slot, body } of bodies) slot.bodies.set(body.digest, body)
}

/**
 * A ledger that lost blocks is behind its own log: promises lie beyond the window, or below what a rewrite has dropped. With them out
 * of sight this replica could sign something else, or leave out of a VIEW-CHANGE what it had prepared. So it only follows until the
 * blocks are back, and then votes with every promise in its place. After a mere crash nothing is ever set aside: certificates are on
 * the disk before the records that rest on them.
 */
function setAside(state: State, records: readonly LogRecord[]): void {
  // A diverged replica keeps them too, for the day on which its ledger is put aside: a rewrite of the log must not drop them.
  if (!state.voting && !state.diverged) return
  const { windowBlocks } = state.epoch.parameters
  const own = records.filter(({ epoch }) => epoch === state.epoch.epoch)
  const floor = Math.max(0, ...own.map((record) => (record.type === 'floor' ? record.height : 0)))
  const beyond = own.filter((record) => seqOf(record) > state.h + windowBlocks)
  const height = beyond.reduce((height, record) => Math.max(height, seqOf(record) - windowBlocks), floor)
  if (height <= state.h) return
  state.recall = { height, floor, records: beyond }
  state.voting = false
}

/** The blocks that were lost are back: what was set aside takes its place, and this replica votes again. */
export function recallPromises(context: Context): void {
  const { state, effects } = context
  const { recall } = state
  if (recall === undefined || state.h < recall.height || state.diverged) return
  state.recall = undefined
  state.voting = true
  const bodies: SlotBody[] = []
  for (const record of recall.records) {
    if (seqOf(record) <= state.h) continue
    // What it promised counts, not what it has seen since.
    if (record.type === 'proposal') slotAt(state, seqOf(record)).accepted.delete(record.proposal.prePrepare.body.view)
    restoreRecord(state, record, bodies)
  }
  for (const { slot, body } of bodies) slot.bodies.set(body.digest, body)
  // It followed into this view, and accepted proposals and batches, without a record of them, and is about to vote on them.
  const { newView } = state
  if (state.active && newView !== undefined) effects.save.push({ type: 'new-view', ...ownerOf(state), newView })
  for (const slot of slotsInOrder(state)) effects.save.push(...batchRecords(state, slot))
  onStart(context)
}

/** The sequence a record is about; 0 where it is about none. */
function seqOf(record: LogRecord): number {
  switch (record.type) {
    case 'proposal':
      return record.proposal.prePrepare.body.seq
    case 'body':
      return record.seq
    case 'prepare':
    case 'commit':
      return record.vote.body.seq
    case 'prepared':
      return record.prepared.seq
    default:
      return 0
  }
}

interface SlotBody {
  slot: Slot
  body: Body
}

function restoreRecord(state: State, record: LogRecord, bodies: SlotBody[]): void {
  const slotOf = (seq: number): Slot | undefined => (inWindow(state, seq) ? slotAt(state, seq) : undefined)
  switch (record.type) {
    case 'proposal': {
      const slot = slotOf(record.proposal.prePrepare.body.seq)
      if (slot === undefined) return
      restoreProposal(slot, record.proposal)
      bodies.push({ slot, body: bodyOf(record.proposal.batch) })
      return
    }
    case 'body': {
      const slot = slotOf(record.seq)
      if (slot !== undefined) bodies.push({ slot, body: bodyOf(encode(batchCodec, record.batch)) })
      return
    }
    case 'prepare': {
      const { vote } = record
      const slot = slotOf(vote.body.seq)
      if (slot !== undefined) addVote(slot.prepares, vote.body.view, vote)
      return
    }
    case 'prepared': {
      const { prepared } = record
      const slot = slotOf(prepared.seq)
      if (slot === undefined) return
      for (const vote of preparesOf(prepared, domainOf(state))) addVote(slot.prepares, prepared.view, vote)
      if (slot.prepared === undefined || slot.prepared.view < prepared.view) slot.prepared = prepared
      return
    }
    case 'commit': {
      const { vote } = record
      const slot = slotOf(vote.body.seq)
      if (slot !== undefined) addVote(slot.commits, vote.body.view, vote)
      return
    }
    case 'view-change': {
      const { change } = record
      const { newView } = change.vote.body
      if (newView > state.view) moveToView(state, newView)
      state.active = false
      state.viewChanges.set(change.vote.signer, change)
      return
    }
    case 'new-view':
      return installNewView(state, record.newView)
    case 'floor':
      return
  }
}

function restoreProposal(slot: Slot, proposal: Proposal): void {
  const { view, digest } = proposal.prePrepare.body
  if (!slot.accepted.has(view)) slot.accepted.set(view, { digest, proposal })
  addVote(slot.prepares, view, proposal.prepare)
}

function bodyOf(bytes: Uint8Array): Body {
  const batch = decode(batchCodec, bytes)
  const digest = batchDigest(batch)
  return digest === ZERO_HASH ? NULL_BODY : { digest, batch, bytes }
}

/** The first step: what was voted counts again, each executed block without a certificate gets its EXEC, re-proposals their votes. */
export function onStart(context: Context): void {
  const { state } = context
  if (state.self === undefined || !state.voting) return
  for (const slot of slotsInOrder(state)) {
    for (const votes of [slot.prepares, slot.commits]) {
      for (const inView of votes.values()) {
        const vote = inView.get(state.self)
        if (vote !== undefined) context.own.push(vote)
      }
    }
    if (slot.block !== undefined) context.own.push(signExec(context, slot.seq, slot.block.hash))
  }
  if (state.active) for (const slot of slotsInOrder(state)) voteWhereMissing(context, slot)
  const change = state.viewChanges.get(state.self)
  if (!state.active && change !== undefined) context.own.push({ type: 'own-view-change', change })
  if (state.active) voteOnReproposals(context)
}

/** A crash between a proposal's record and the PREPARE's: the vote was never sent and is cast now. */
function voteWhereMissing(context: Context, slot: Slot): void {
  const { state, effects } = context
  const accepted = slot.accepted.get(state.view)
  if (accepted?.proposal === undefined || slot.prepares.get(state.view)?.has(state.self!)) return
  effects.send.push({ to: 'all', message: { type: 'prepare', vote: vote(context, slot, accepted.digest) } })
}

/** The records a restart still needs: what the log is rewritten to once it has grown. */
export function liveRecords(state: State): LogRecord[] {
  const owner = ownerOf(state)
  const { recall } = state
  const floor = Math.max(state.h, recall?.floor ?? 0)
  const records: LogRecord[] = floor === 0 ? [] : [{ type: 'floor', ...owner, height: floor }]
  const change = state.self === undefined ? undefined : state.viewChanges.get(state.self)
  if (change !== undefined) records.push({ type: 'view-change', ...owner, change })
  if (state.active && state.newView !== undefined) records.push({ type: 'new-view', ...owner, newView: state.newView })
  // First, as the earlier of two records of one slot is the one that counts.
  if (recall !== undefined) records.push(...recall.records.filter((record) => seqOf(record) > state.h))
  for (const slot of slotsInOrder(state)) records.push(...batchRecords(state, slot), ...voteRecords(state, slot))
  return records
}

function batchRecords(state: State, { seq, accepted, bodies }: Slot): LogRecord[] {
  const owner = ownerOf(state)
  const records: LogRecord[] = []
  const recorded = new Set([ZERO_HASH])
  for (const { digest, proposal } of accepted.values()) {
    if (proposal === undefined) continue
    records.push({ type: 'proposal', ...owner, proposal })
    recorded.add(digest)
  }
  for (const { digest, batch } of bodies.values()) {
    if (!recorded.has(digest)) records.push({ type: 'body', ...owner, seq, batch })
  }
  return records
}

function voteRecords(state: State, { prepares, commits, prepared }: Slot): LogRecord[] {
  const owner = ownerOf(state)
  const records: LogRecord[] = []
  if (state.self === undefined) return records
  for (const votes of prepares.values()) {
    const vote = votes.get(state.self)
    if (vote !== undefined) records.push({ type: 'prepare', ...owner, vote })
  }
  if (prepared !== undefined) records.push({ type: 'prepared', ...owner, prepared })
  for (const votes of commits.values()) {
    const vote = votes.get(state.self)
    if (vote !== undefined) records.push({ type: 'commit', ...owner, vote })
  }
  return records
}
