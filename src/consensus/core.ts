// The consensus core: Practical Byzantine Fault Tolerance (Castro and Liskov, OSDI 1999) with signed certificates, pipelined, every
// block a checkpoint. Pure: no clock, timer, randomness or IO inside; docs/protocol.md numbers its rules.
//
// This version orders in the epoch's first view only. SUSPECT, VIEW-CHANGE and NEW-VIEW have their formats (types/message.ts) and
// their log records; the handlers that act on them come as files of their own beside prepare.ts and commit.ts.
import { onCommit } from './commit.ts'
import type { Effects, Event } from './event.ts'
import { onCertificate, onExec, onExecuted } from './exec.ts'
import { checkInvariants } from './invariants.ts'
import { onPrepare } from './prepare.ts'
import { inFlight, onProposal, onPropose, proposalSlot } from './proposal.ts'
import type { LogRecord } from './record.ts'
import { liveRecords, onStart, restore } from './restore.ts'
import { type Context, createState, inWindow, type State, type StateOptions } from './state.ts'
import { forgetStatus, onStatus, statusOf } from './status.ts'

export interface CoreOptions extends StateOptions {
  /** Signs bytes with the validator's key. Ed25519 is deterministic (RFC 8032), so the core stays pure. */
  sign: (bytes: Uint8Array) => Uint8Array
  /** The consensus log's records, oldest first. */
  records: LogRecord[]
}

export interface Core {
  readonly state: Readonly<State>
  step(event: Event): Effects
  /** The sequence this replica may propose now. */
  proposalSlot(): number | undefined
  inFlight(): number
  status: () => ReturnType<typeof statusOf>
  liveRecords(): LogRecord[]
  /** Says that a validator's connection is new. */
  onConnect(validator: number): void
  /** False for votes the core would drop unread: the network's edge spares itself the signature check. */
  isWanted(type: 'prepare' | 'commit' | 'exec', signer: number, view: number, seq: number): boolean
}

export function createCore(options: CoreOptions): Core {
  const state = createState(options)
  restore(state, options.records)
  return {
    state,
    step: (event) => step(state, options.sign, event),
    proposalSlot: () => proposalSlot(state),
    inFlight: () => inFlight(state),
    status: () => statusOf(state),
    liveRecords: () => liveRecords(state),
    onConnect: (validator) => forgetStatus(state, validator),
    isWanted: (type, signer, view, seq) => isWanted(state, type, signer, view, seq),
  }
}

function step(state: State, sign: CoreOptions['sign'], event: Event): Effects {
  const effects: Effects = { save: [], send: [], deliver: [] }
  const context: Context = { state, effects, sign, own: [] }
  handle(context, event)
  for (let vote = context.own.shift(); vote !== undefined; vote = context.own.shift())
    handle(context, { type: 'vote', vote })
  checkInvariants(state)
  return effects
}

function handle(context: Context, event: Event): void {
  switch (event.type) {
    case 'tick':
      context.state.now = event.now
      return
    case 'start':
      return onStart(context)
    case 'proposal':
      return onProposal(context, event.proposal, event.batch)
    case 'propose':
      return onPropose(context, event.body)
    case 'vote':
      if (event.vote.type === 'prepare') return onPrepare(context, event.vote)
      if (event.vote.type === 'commit') return onCommit(context, event.vote)
      return onExec(context, event.vote)
    case 'executed':
      return onExecuted(context, event.height, event.blockHash, event.certificate)
    case 'certificate':
      return onCertificate(context, event.certificate)
    case 'status':
      return onStatus(context, event.from, event.status)
  }
}

function isWanted(
  state: State,
  type: 'prepare' | 'commit' | 'exec',
  signer: number,
  view: number,
  seq: number,
): boolean {
  if (!inWindow(state, seq)) return false
  const slot = state.slots.get(seq)
  if (type === 'exec') return !slot?.execs.has(signer)
  if (view !== state.view) return false
  return !(type === 'prepare' ? slot?.prepares : slot?.commits)?.get(view)?.has(signer)
}
