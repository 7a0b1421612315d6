// What a node's consensus log holds for certain, as the checkers see it: read from the bytes that were synced, not from the core.
import { type LogRecord, recordCodec } from '../consensus/record.ts'
import { batchDigest } from '../crypto/digest.ts'
import { batchCodec } from '../types/block.ts'
import type { Prepared } from '../types/message.ts'
import { decode } from '../types/schema.ts'

export interface DurableVotes {
  /** Digests by "view seq". */
  proposals: Map<string, string>
  prepares: Map<string, string>
  commits: Map<string, string>
  /** Batches on the disk, by digest. */
  bodies: Set<string>
  /** The prepared certificate of the highest view, by sequence. */
  prepared: Map<number, Prepared>
  /** Own VIEW-CHANGEs: the signature of each by its new view. */
  viewChanges: Map<number, Uint8Array>
  /** Views whose NEW-VIEW is here. */
  newViews: Set<number>
}

export const slotKey = (view: number, seq: number): string => `${view} ${seq}`

export function emptyVotes(): DurableVotes {
  return {
    proposals: new Map(),
    prepares: new Map(),
    commits: new Map(),
    bodies: new Set(),
    prepared: new Map(),
    viewChanges: new Map(),
    newViews: new Set(),
  }
}

/** `self` is the validator whose log it is. */
export function addRecords(votes: DurableVotes, self: number, records: readonly Uint8Array[]): LogRecord[] {
  const decoded = records.map((record) => decode(recordCodec, record))
  for (const record of decoded) add(votes, self, record)
  return decoded
}

function add(votes: DurableVotes, self: number, record: LogRecord): void {
  switch (record.type) {
    case 'proposal': {
      const { view, seq, digest } = record.proposal.prePrepare.body
      votes.proposals.set(slotKey(view, seq), digest)
      // A proposer's own proposal is the record of its PREPARE too.
      if (record.proposal.prepare.signer === self) votes.prepares.set(slotKey(view, seq), digest)
      // Only the batch that the digest names helps anyone later.
      if (batchDigest(decode(batchCodec, record.proposal.batch)) === digest) votes.bodies.add(digest)
      return
    }
    case 'prepare': {
      const { view, seq, digest } = record.vote.body
      votes.prepares.set(slotKey(view, seq), digest)
      return
    }
    case 'commit': {
      const { view, seq, digest } = record.vote.body
      votes.commits.set(slotKey(view, seq), digest)
      return
    }
    case 'prepared': {
      const { prepared } = record
      const known = votes.prepared.get(prepared.seq)
      if (known === undefined || prepared.view >= known.view) votes.prepared.set(prepared.seq, prepared)
      return
    }
    case 'body':
      votes.bodies.add(batchDigest(record.batch))
      return
    case 'view-change':
      votes.viewChanges.set(record.change.vote.body.newView, record.change.vote.signature)
      return
    case 'new-view':
      votes.newViews.add(record.newView.vote.body.view)
      return
    case 'floor':
      return
  }
}
