// The consensus core: Practical Byzantine Fault Tolerance (Castro and Liskov, OSDI 1999) with signed certificates, pipelined, every
// block a checkpoint. Pure: no clock, timer, randomness or IO inside; docs/protocol.md numbers its rules.
import type { Batch } from '../types/block.ts'
import type { Message } from '../types/message.ts'
import { isAskedFor, onBody, onBodyRequest } from './body.ts'
import { onCommit } from './commit.ts'
import type { Effects, Event } from './event.ts'
import { onCertificate, onExec, onExecuted } from './exec.ts'
import { checkInvariants } from './invariants.ts'
import { onNewView } from './new-view.ts'
import { onPrepare } from './prepare.ts'
import { inFlight, onProposal, onPropose, proposalSlot } from './proposal.ts'
import type { LogRecord } from './record.ts'
import { liveRecords, onStart, restore, type UncertifiedBlock } from './restore.ts'
import { type Context, createState, type OwnMessage, type State, type StateOptions } from './state.ts'
import { forgetStatus, onStatus, statusOf } from './status.ts'
import { onSuspect } from './suspect.ts'
import { onTick } from './timers.ts'
import { onViewChange } from './view-change.ts'
import { isProposalWanted, isWanted } from './wanted.ts'

export interface CoreOptions extends StateOptions {
  /** Signs bytes with the validator's key. Ed25519 is deterministic (RFC 8032), so the core stays pure. */
  sign: (bytes: Uint8Array) => Uint8Array
  /** From the ledger: the blocks executed above `h`, lowest first. */
  uncertified: UncertifiedBlock[]
  /** The consensus log's records, oldest first. */
  records: LogRecord[]
}

export interface Core {
  readonly state: Readonly<State>
  step(event: Event): Effects
  /** The sequence this replica may propose now. */
  proposalSlot(): number | undefined
  inFlight(): number
  /** The batches of this view that are accepted and not executed yet, by sequence. */
  openBatches(): [seq: number, batch: Batch][]
  status: () => ReturnType<typeof statusOf>
  liveRecords(): LogRecord[]
  /** Says that a validator's connection is new. */
  onConnect(validator: number): void
  /** False for messages the core would drop unread: the network's edge spares itself the signature checks. */
  isWanted(message: Message): boolean
  isProposalWanted(slot: { view: number; seq: number }): boolean
  /** True for a batch this replica waits for. */
  isAskedFor(digest: string): boolean
}

export function createCore(options: CoreOptions): Core {
  const { sign, uncertified, records, ...given } = options
  const state = createState(given)
  restore(state, uncertified, records)
  return {
    state,
    step: (event) => step(state, sign, event),
    proposalSlot: () => proposalSlot(state),
    inFlight: () => inFlight(state),
    openBatches: () => openBatches(state),
    status: () => statusOf(state),
    liveRecords: () => liveRecords(state),
    onConnect: (validator) => forgetStatus(state, validator),
    isWanted: (message) => isWanted(state, message),
    isProposalWanted: (slot) => isProposalWanted(state, slot),
    isAskedFor: (digest) => isAskedFor(state, digest),
  }
}

function step(state: State, sign: CoreOptions['sign'], event: Event): Effects {
  const effects: Effects = { save: [], send: [], deliver: [] }
  const context: Context = { state, effects, sign, own: [] }
  handle(context, event)
  for (let own = context.own.shift(); own !== undefined; own = context.own.shift()) handleSigned(context, own)
  checkInvariants(state)
  return effects
}

function handle(context: Context, event: Event): void {
  switch (event.type) {
    case 'start':
      return onStart(context)
    case 'tick':
      return onTick(context, event)
    case 'proposal':
      return onProposal(context, event.proposal, event.batch)
    case 'propose':
      return onPropose(context, event.body)
    case 'vote':
      return handleSigned(context, event.vote)
    case 'view-change':
      return onViewChange(context, event.change)
    case 'new-view':
      return onNewView(context, event.newView)
    case 'body':
      return onBody(context, event.body)
    case 'body-request':
      return onBodyRequest(context, event.from, event.digest)
    case 'executed':
      return onExecuted(context, event.header, event.blockHash, event.certificate)
    case 'certificate':
      return onCertificate(context, event.certificate)
    case 'status':
      return onStatus(context, event.from, event.status)
  }
}

/** Own messages are handled exactly as everyone's are. */
function handleSigned(context: Context, message: OwnMessage): void {
  switch (message.type) {
    case 'prepare':
      return onPrepare(context, message as Extract<OwnMessage, { type: 'prepare' }>)
    case 'commit':
      return onCommit(context, message as Extract<OwnMessage, { type: 'commit' }>)
    case 'exec':
      return onExec(context, message as Extract<OwnMessage, { type: 'exec' }>)
    case 'suspect':
      return onSuspect(context, message as Extract<OwnMessage, { type: 'suspect' }>)
    case 'own-view-change':
      return onViewChange(context, message.change)
  }
}

function openBatches(state: State): [number, Batch][] {
  const batches: [number, Batch][] = []
  for (const { seq, accepted, bodies } of state.slots.values()) {
    const body = bodies.get(accepted.get(state.view)?.digest ?? '')
    if (seq > state.lastExec && body !== undefined) batches.push([seq, body.batch])
  }
  return batches
}
