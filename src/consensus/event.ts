// What goes into the core and what comes out of it. Events are verified before they get here: signatures by the validator they
// count for, digests by their batch, batches by their stateless rules.
import type { Batch, Certificate } from '../types/block.ts'
import type { Message, Proposal, Signed, Status } from '../types/message.ts'
import type { LogRecord } from './record.ts'

export type SlotVote = Signed<'prepare'> | Signed<'commit'>

/** A batch beside its canonical bytes and digest. */
export interface Body {
  digest: string
  batch: Batch
  bytes: Uint8Array
}

export type Event =
  /** The first event, once: after it, what the log and the ledger hold counts again. */
  | { type: 'start' }
  /** Wall-clock time in ms; the only time the core knows. */
  | { type: 'tick'; now: number }
  | { type: 'proposal'; proposal: Proposal; batch: Batch }
  | { type: 'vote'; vote: SlotVote | Signed<'exec'> }
  /** This replica, asked through `proposalSlot`, proposes a batch of its own. */
  | { type: 'propose'; body: Body }
  /** The block is durable in the ledger; `certificate` is there when it came certified, by catching up. */
  | { type: 'executed'; height: number; blockHash: string; certificate?: Certificate }
  /** A verified certificate for a block that may have been executed without one. */
  | { type: 'certificate'; certificate: Certificate }
  /** Validator `from` says where it is. */
  | { type: 'status'; from: number; status: Status }

/** `to` is a validator's index, or all of them. */
export interface Outgoing {
  to: number | 'all'
  message: Message
}

export type Delivery =
  /** Ordered: execute it next. Sequences come without gaps. */
  | { type: 'execute'; seq: number; body: Body }
  | { type: 'certified'; certificate: Certificate }
  /** Two messages signed by one validator that no correct validator signs both of. */
  | {
      type: 'evidence'
      validator: number
      kind: 'proposal' | 'prepare' | 'commit' | 'exec'
      first: Signed<never>
      second: Signed<never>
    }
  /** Another validator executed this height to a different block. */
  | { type: 'mismatch'; height: number; validator: number; theirs: string; ours: string }
  /** A quorum vouches for another block than ours: this node's execution is wrong, it no longer votes or executes. */
  | { type: 'diverged'; height: number; theirs: string; ours: string }

/** Obeyed in this order, always: make `save` durable, then `send`, then `deliver`. */
export interface Effects {
  save: LogRecord[]
  send: Outgoing[]
  deliver: Delivery[]
}
