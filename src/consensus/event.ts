// What goes into the core and what comes out of it. Events are verified before they get here: signatures by the validator they
// count for, digests by their batch, batches by their stateless rules.
import type { Batch, Certificate, Header } from '../types/block.ts'
import type { Accusation } from '../types/evidence.ts'
import type { Message, NewView, Proposal, Signed, Status, ViewChange } from '../types/message.ts'
import type { LogRecord } from './record.ts'

/** A batch beside its canonical bytes and digest. */
export interface Body {
  digest: string
  batch: Batch
  bytes: Uint8Array
}

export type Vote = Signed<'prepare'> | Signed<'commit'> | Signed<'exec'> | Signed<'suspect'>

export type Event =
  /** The first event, once: after it, what the log and the ledger hold counts again. */
  | { type: 'start' }
  /**
   * `now` is wall-clock time, `at` a clock that never jumps, both in ms; `hasWork` says that the pool could fill a batch; `passedOverIn`
   * is the view whose blocks passed over a transaction that everyone was sent, where there is one (docs/protocol.md, rule 32).
   */
  | { type: 'tick'; now: number; at: number; hasWork: boolean; passedOverIn?: number | undefined }
  | { type: 'proposal'; proposal: Proposal; batch: Batch }
  | { type: 'vote'; vote: Vote }
  | { type: 'view-change'; change: ViewChange }
  | { type: 'new-view'; newView: NewView }
  /** A batch that this replica asked for by its digest. */
  | { type: 'body'; body: Body }
  | { type: 'body-request'; from: number; digest: string }
  /** This replica, asked through `proposalSlot`, proposes a batch of its own. */
  | { type: 'propose'; body: Body }
  /** The block is durable in the ledger; `certificate` is there when it came certified, by catching up. */
  | { type: 'executed'; header: Header; blockHash: string; certificate?: Certificate }
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
  /** This replica left its view for `view`, or `view` became active. */
  | { type: 'view'; view: number; active: boolean }
  /** Two messages signed by one validator that no correct validator signs both of, or one that none signs at all. */
  | ({ type: 'evidence'; validator: number } & Accusation)
  /** Another validator executed this height to a different block. */
  | { type: 'mismatch'; height: number; validator: number; theirs: string; ours: string }
  /** A quorum vouches for another block than ours: this node's execution is wrong, it no longer votes or executes. */
  | { type: 'diverged'; certificate: Certificate; ours: string }

/** Obeyed in this order, always: make `save` durable, then `send`, then `deliver`; what is `certified` or `diverged` is durable first too. */
export interface Effects {
  save: LogRecord[]
  send: Outgoing[]
  deliver: Delivery[]
}
