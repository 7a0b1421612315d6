// Restart: the consensus log's records put every promise back where it was, so the same bytes are sent again and nothing else is signed.
import { batchCodec } from '../types/block.ts'
import type { Proposal } from '../types/message.ts'
import { decode } from '../types/schema.ts'
import { signExec } from './gate.ts'
import { assertInvariant } from './invariants.ts'
import type { LogRecord } from './record.ts'
import { addVote, type Context, inWindow, type State, slotAt } from './state.ts'

/** Applies the records in the order they were written. Those at or below the certified height are history already. */
export function restore(state: State, records: LogRecord[]): void {
  for (const record of records) {
    assertInvariant(record.genesisHash === state.genesisHash, 'the consensus log belongs to another network')
    if (record.epoch !== state.epoch.epoch) continue
    switch (record.type) {
      case 'proposal':
        restoreProposal(state, record.proposal)
        break
      case 'prepare':
        if (inWindow(state, record.vote.body.seq)) {
          addVote(slotAt(state, record.vote.body.seq).prepares, record.vote.body.view, record.vote)
        }
        break
      case 'commit':
        if (inWindow(state, record.vote.body.seq)) {
          const slot = slotAt(state, record.vote.body.seq)
          addVote(slot.commits, record.vote.body.view, record.vote)
          for (const vote of record.prepared.votes) addVote(slot.prepares, record.prepared.view, vote)
          slot.prepared = record.prepared
        }
        break
      case 'view-change':
      case 'new-view':
        break
    }
  }
}

function restoreProposal(state: State, proposal: Proposal): void {
  const { view, seq, digest } = proposal.prePrepare.body
  if (!inWindow(state, seq)) return
  const slot = slotAt(state, seq)
  const body = { digest, batch: decode(batchCodec, proposal.batch), bytes: proposal.batch }
  slot.accepted.set(view, { proposal, body })
  addVote(slot.prepares, view, proposal.prepare)
}

/** The first step: what was voted counts again, and each executed block without a certificate gets its EXEC. */
export function onStart(context: Context): void {
  const { state } = context
  if (state.self === undefined || !state.voting) return
  for (const slot of [...state.slots.values()].sort((a, b) => a.seq - b.seq)) {
    for (const votes of [slot.prepares, slot.commits]) {
      for (const inView of votes.values()) {
        const vote = inView.get(state.self)
        if (vote !== undefined) context.own.push(vote)
      }
    }
    if (slot.blockHash !== undefined) context.own.push(signExec(context, slot.seq, slot.blockHash))
  }
}

/** The records a restart still needs: what the log is rewritten to once it has grown. */
export function liveRecords(state: State): LogRecord[] {
  const records: LogRecord[] = []
  const owner = { genesisHash: state.genesisHash, epoch: state.epoch.epoch }
  const slots = [...state.slots.values()].sort((a, b) => a.seq - b.seq)
  for (const slot of slots) {
    for (const { proposal } of slot.accepted.values()) records.push({ type: 'proposal', ...owner, proposal })
    if (state.self === undefined) continue
    for (const votes of slot.prepares.values()) {
      const vote = votes.get(state.self)
      if (vote !== undefined) records.push({ type: 'prepare', ...owner, vote })
    }
    for (const votes of slot.commits.values()) {
      const vote = votes.get(state.self)
      if (vote !== undefined && slot.prepared !== undefined) {
        records.push({ type: 'commit', ...owner, vote, prepared: slot.prepared })
      }
    }
  }
  return records
}
