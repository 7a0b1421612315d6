// The replica's memory: one slot per sequence in the window (h, h+L], votes by view within it.
import type { Certificate, Header } from '../types/block.ts'
import type { EpochRecord } from '../types/epoch.ts'
import type { NewView, Prepared, Proposal, Signed, Status, ViewChange } from '../types/message.ts'
import { quorumOf, weakQuorumOf } from '../types/quorum.ts'
import type { Body, Effects, Vote } from './event.ts'
import type { LogRecord } from './record.ts'

export type VotesByView<T> = Map<number, Map<number, T>>

export interface Slot {
  readonly seq: number
  /** What was accepted in each view: the first proposal from its proposer, or what a NEW-VIEW fixed (then without a proposal). */
  readonly accepted: Map<number, { digest: string; proposal: Proposal | undefined }>
  readonly bodies: Map<string, Body>
  readonly prepares: VotesByView<Signed<'prepare'>>
  readonly commits: VotesByView<Signed<'commit'>>
  readonly execs: Map<number, Signed<'exec'>>
  /** The prepared certificate of the highest view. */
  prepared: Prepared | undefined
  committed: { view: number; digest: string } | undefined
  /** What this replica made of it, once that is durable. */
  block: { header: Header; hash: string } | undefined
  /** Held until every block below is certified too. */
  certificate: Certificate | undefined
}

/** Why this replica wants to leave its view. Only `new-view` and `proof` cannot pass again. */
export type SuspicionCause = 'progress' | 'certificates' | 'complaint' | 'new-view' | 'proof'

/** cert_h: the certified header that opens the window; undefined at height 0, which needs none. */
export interface Certified {
  header: Header
  certificate: Certificate
}

/** What the NEW-VIEW of the current view fixed: each sequence in (min, max] and its digest. View 0 fixes nothing. */
export interface Reproposals {
  min: number
  max: number
  digests: Map<number, string>
}
const NO_REPROPOSALS: Reproposals = { min: 0, max: 0, digests: new Map() }

/** What the consensus log says of heights that the ledger has lost (restore.ts). */
export interface Recall {
  /** From here on the window holds every promise, and none below is forgotten. */
  height: number
  floor: number
  records: LogRecord[]
}

export interface State {
  readonly genesisHash: string
  readonly epoch: EpochRecord
  readonly validatorsHash: string
  /** This replica's index among the validators, undefined for an observer. */
  readonly self: number | undefined
  readonly quorum: number
  readonly weakQuorum: number
  /** False while this replica only follows: an observer, a lost consensus log, a divergence. */
  voting: boolean
  diverged: boolean
  /** While there is one this replica only follows. */
  recall: Recall | undefined
  /** Wall clock and monotonic clock of the last tick, in ms. */
  now: number
  at: number
  view: number
  /** False between leaving a view and the next one's NEW-VIEW. */
  active: boolean
  /** The highest certified height whose block this replica has executed; everything up to it is dropped from `slots`. */
  h: number
  /** The highest executed height. */
  lastExec: number
  /** The highest height handed over for execution. */
  lastDelivered: number
  /** 0: no boundary is pending. */
  epochEnd: number
  certified: Certified | undefined
  readonly slots: Map<number, Slot>
  /** Each validator's newest STATUS. */
  readonly statuses: Map<number, Status>
  /** When each validator's STATUS was last answered, on the clock that never jumps. */
  readonly answeredAt: Map<number, number>
  /** Each validator's newest SUSPECT, and when it came. */
  readonly suspects: Map<number, { view: number; at: number }>
  /** Each validator's newest VIEW-CHANGE, this replica's own among them. */
  readonly viewChanges: Map<number, ViewChange>
  /** The newest view above this one that each validator voted in: those votes are kept, older ones above are not. */
  readonly futureViews: Map<number, number>
  /** COMMITs of the view last left still count. */
  lastLeftView: number
  newView: NewView | undefined
  reproposals: Reproposals
  suspicion: { view: number; cause: SuspicionCause; sentAt: number } | undefined
  /** The current timeout in ms: doubled with each failed view, halved with each certified block. */
  timeoutMs: number
  progressDeadline: number | undefined
  certifyDeadline: number | undefined
  newViewDeadline: number | undefined
  /** Batches without which this replica, the primary of a view that waits for its NEW-VIEW, does not send it: sequence by digest. */
  readonly sought: Map<string, number>
  /** When each missing batch was last asked for, by digest. */
  readonly bodiesAskedAt: Map<string, number>
  /** Contradictions reported of each validator. */
  readonly accusations: Map<number, number>
  /** Batches sent to each validator in the current second. */
  readonly bodiesServed: Map<number, { second: number; count: number }>
}

export interface Context {
  readonly state: State
  readonly effects: Effects
  readonly sign: (bytes: Uint8Array) => Uint8Array
  /** Own messages wait here and are handled like everyone's, after the handler that made them. */
  readonly own: OwnMessage[]
}
export type OwnMessage = Vote | { type: 'own-view-change'; change: ViewChange }

export interface StateOptions {
  genesisHash: string
  epoch: EpochRecord
  validatorsHash: string
  self: number | undefined
  voting: boolean
  /** From the ledger: the last executed height, the highest certified one up to it, and its certificate. */
  lastExec: number
  h: number
  certified: Certified | undefined
  /** From the ledger: a quorum contradicts one of the blocks above `h`. */
  diverged?: boolean
}

export function createState(options: StateOptions): State {
  const { validators, parameters } = options.epoch
  return {
    ...options,
    quorum: quorumOf(validators.length),
    weakQuorum: weakQuorumOf(validators.length),
    diverged: options.diverged === true,
    voting: options.voting && options.diverged !== true,
    recall: undefined,
    now: 0,
    at: 0,
    view: 0,
    active: true,
    lastDelivered: options.lastExec,
    epochEnd: 0,
    slots: new Map(),
    statuses: new Map(),
    answeredAt: new Map(),
    suspects: new Map(),
    viewChanges: new Map(),
    futureViews: new Map(),
    lastLeftView: 0,
    newView: undefined,
    reproposals: NO_REPROPOSALS,
    suspicion: undefined,
    timeoutMs: parameters.progressTimeoutMs,
    progressDeadline: undefined,
    certifyDeadline: undefined,
    newViewDeadline: undefined,
    sought: new Map(),
    bodiesAskedAt: new Map(),
    accusations: new Map(),
    bodiesServed: new Map(),
  }
}

/** True when `seq` may be voted on: above the certified height, within L of it, not beyond the epoch's end. */
export function inWindow(state: State, seq: number): boolean {
  const end = state.epochEnd === 0 ? Number.MAX_SAFE_INTEGER : state.epochEnd
  return seq > state.h && seq <= Math.min(end, state.h + state.epoch.parameters.windowBlocks)
}

export function slotAt(state: State, seq: number): Slot {
  let slot = state.slots.get(seq)
  if (slot === undefined) {
    slot = {
      seq,
      accepted: new Map(),
      bodies: new Map(),
      prepares: new Map(),
      commits: new Map(),
      execs: new Map(),
      prepared: undefined,
      committed: undefined,
      block: undefined,
      certificate: undefined,
    }
    state.slots.set(seq, slot)
  }
  return slot
}

/** The slots there are, lowest sequence first. */
export const slotsInOrder = (state: State): Slot[] => [...state.slots.values()].sort((a, b) => a.seq - b.seq)

/** The fields every signed body starts with. */
export function domainOf(state: State) {
  return { genesisHash: state.genesisHash, epoch: state.epoch.epoch, validatorsHash: state.validatorsHash }
}

/** The fields every log record starts with. */
export const ownerOf = (state: State) => ({ genesisHash: state.genesisHash, epoch: state.epoch.epoch })

/** Adds a vote unless its signer already has one here. Returns the earlier vote, whatever it says, or undefined when added. */
export function addVote<T extends { signer: number }>(votes: VotesByView<T>, view: number, vote: T): T | undefined {
  const inView = votes.get(view) ?? new Map<number, T>()
  votes.set(view, inView)
  const earlier = inView.get(vote.signer)
  if (earlier === undefined) inView.set(vote.signer, vote)
  return earlier
}

/** The votes in `view` for `digest`, in signer order so that what is built from them is the same everywhere. */
export function votesFor<T extends Signed<'prepare'> | Signed<'commit'>>(
  votes: VotesByView<T>,
  view: number,
  digest: string,
): T[] {
  const matching = [...(votes.get(view)?.values() ?? [])].filter((vote) => vote.body.digest === digest)
  return matching.sort((a, b) => a.signer - b.signer)
}

/**
 * Whether a vote of this view is kept: of the current one, a COMMIT also of the view last left, and of each validator's newest
 * view above. A validator that votes in a higher one gives up its votes in the one between.
 */
export function keepsView(state: State, type: 'prepare' | 'commit', signer: number, view: number): boolean {
  if (view === state.view || (type === 'commit' && view === state.lastLeftView)) return true
  if (view < state.view) return false
  const newest = state.futureViews.get(signer)
  if (newest !== undefined && newest > state.view && view < newest) return false
  if (newest !== view) {
    if (newest !== undefined && newest > state.view) forgetVotes(state, signer, newest)
    state.futureViews.set(signer, view)
  }
  return true
}

function forgetVotes(state: State, signer: number, view: number): void {
  for (const { prepares, commits } of state.slots.values()) {
    for (const votes of [prepares, commits]) {
      const inView = votes.get(view)
      inView?.delete(signer)
      if (inView?.size === 0) votes.delete(view)
    }
  }
}
