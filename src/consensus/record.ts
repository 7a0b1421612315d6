// What the consensus log holds: each record is durable before any message that depends on it leaves (docs/protocol.md,
// "Durability").

import { batchCodec } from '../types/block.ts'
import { newViewCodec, preparedCodec, proposalCodec, signedVoteCodec, viewChangeCodec } from '../types/message.ts'
import { hex, struct, uint, union, type ValueOf } from '../types/schema.ts'

const owner = { genesisHash: hex(32), epoch: uint() }

export const recordCodec = union({
  /** An accepted proposal, own or another's, with its batch: written before the PREPARE for it leaves. */
  proposal: struct('', { ...owner, proposal: proposalCodec }),
  /** The batch of a re-proposal that this replica had to ask for: written before the PREPARE for it leaves. */
  body: struct('', { ...owner, seq: uint(), batch: batchCodec }),
  /** A PREPARE of this validator. */
  prepare: struct('', { ...owner, vote: signedVoteCodec('prepare') }),
  /** A prepared certificate: written before the COMMIT that rests on it leaves. */
  prepared: struct('', { ...owner, prepared: preparedCodec }),
  /** A COMMIT of this validator. */
  commit: struct('', { ...owner, vote: signedVoteCodec('commit') }),
  /** A VIEW-CHANGE of this validator: from then on nothing is signed in older views. */
  'view-change': struct('', { ...owner, change: viewChangeCodec }),
  /** The NEW-VIEW that activated a view: it fixes what is proposed again. */
  'new-view': struct('', { ...owner, newView: newViewCodec }),
  /** Votes up to this height were dropped when the log was rewritten: nothing is signed there any more. */
  floor: struct('', { ...owner, height: uint() }),
})
export type LogRecord = ValueOf<typeof recordCodec>
