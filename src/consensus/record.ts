// What the consensus log holds: each record is durable before any message that depends on it leaves (docs/protocol.md,
// "Durability").

import { newViewCodec, preparedCodec, proposalCodec, signedVoteCodec, viewChangeCodec } from '../types/message.ts'
import { hex, struct, uint, union, type ValueOf } from '../types/schema.ts'

const owner = { genesisHash: hex(32), epoch: uint() }

export const recordCodec = union({
  /** An accepted proposal, own or another's, with its batch: written before the PREPARE for it leaves. */
  proposal: struct('', { ...owner, proposal: proposalCodec }),
  /** A PREPARE of this validator. */
  prepare: struct('', { ...owner, vote: signedVoteCodec('prepare') }),
  /** A COMMIT of this validator with the prepared certificate that allowed it. */
  commit: struct('', { ...owner, vote: signedVoteCodec('commit'), prepared: preparedCodec }),
  /** A VIEW-CHANGE of this validator: from then on nothing is signed in older views. */
  'view-change': struct('', { ...owner, change: viewChangeCodec }),
  /** The NEW-VIEW that activated a view. */
  'new-view': struct('', { ...owner, newView: newViewCodec }),
})
export type LogRecord = ValueOf<typeof recordCodec>
