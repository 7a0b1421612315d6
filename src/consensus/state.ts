// The replica's memory: one slot per sequence in the window (h, h+L], votes by view within it.
import type { Certificate } from '../types/block.ts'
import type { EpochRecord } from '../types/epoch.ts'
import type { Prepared, Proposal, Signed, Status } from '../types/message.ts'
import type { Body, Effects } from './event.ts'
import { quorumOf } from './quorum.ts'

export type VotesByView<T> = Map<number, Map<number, T>>

export interface Slot {
  readonly seq: number
  /** The proposal accepted in each view: at most one, the first that came from its proposer. */
  readonly accepted: Map<number, { proposal: Proposal; body: Body }>
  readonly prepares: VotesByView<Signed<'prepare'>>
  readonly commits: VotesByView<Signed<'commit'>>
  readonly execs: Map<number, Signed<'exec'>>
  /** The prepared certificate of the highest view. */
  prepared: Prepared | undefined
  committed: { view: number; digest: string } | undefined
  /** Hash of the block this replica made of it, once that is durable. */
  blockHash: string | undefined
  /** Held until every block below is certified too. */
  certificate: Certificate | undefined
}

export interface State {
  readonly genesisHash: string
  readonly epoch: EpochRecord
  readonly validatorsHash: string
  /** This replica's index among the validators, undefined for an observer. */
  readonly self: number | undefined
  readonly quorum: number
  /** False while this replica only follows: an observer, a lost consensus log, a divergence. */
  voting: boolean
  diverged: boolean
  now: number
  view: number
  active: boolean
  /** The highest certified height whose block this replica has executed; everything up to it is dropped from `slots`. */
  h: number
  /** The highest executed height. */
  lastExec: number
  /** The highest height handed over for execution. */
  lastDelivered: number
  /** 0: no boundary is pending. */
  epochEnd: number
  readonly slots: Map<number, Slot>
  /** Each validator's newest STATUS. */
  readonly statuses: Map<number, Status>
  certificate: Certificate | undefined
}

export interface Context {
  readonly state: State
  readonly effects: Effects
  readonly sign: (bytes: Uint8Array) => Uint8Array
  /** Own votes wait here and are handled like everyone's, after the handler that cast them. */
  readonly own: SlotVoteOrExec[]
}
type SlotVoteOrExec = Signed<'prepare'> | Signed<'commit'> | Signed<'exec'>

export interface StateOptions {
  genesisHash: string
  epoch: EpochRecord
  validatorsHash: string
  self: number | undefined
  voting: boolean
  /** Both from the ledger: the last executed height and the highest certified one up to it. */
  lastExec: number
  h: number
  certificate: Certificate | undefined
  /** Blocks executed above `h`, lowest first: their EXECs are signed again at the start. */
  uncertified: { height: number; blockHash: string }[]
}

export function createState(options: StateOptions): State {
  const { uncertified, ...given } = options
  const state: State = {
    ...given,
    quorum: quorumOf(options.epoch.validators.length),
    diverged: false,
    now: 0,
    view: 0,
    active: true,
    lastDelivered: options.lastExec,
    epochEnd: 0,
    slots: new Map(),
    statuses: new Map(),
  }
  for (const { height, blockHash } of uncertified) slotAt(state, height).blockHash = blockHash
  return state
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
      prepares: new Map(),
      commits: new Map(),
      execs: new Map(),
      prepared: undefined,
      committed: undefined,
      blockHash: undefined,
      certificate: undefined,
    }
    state.slots.set(seq, slot)
  }
  return slot
}

/** The fields every signed body starts with. */
export function domainOf(state: State) {
  return { genesisHash: state.genesisHash, epoch: state.epoch.epoch, validatorsHash: state.validatorsHash }
}

/** Adds a vote unless its signer already has one here. Returns the earlier vote, whatever it says, or undefined when added. */
export function addVote<T extends { signer: number }>(votes: VotesByView<T>, view: number, vote: T): T | undefined {
  const inView = votes.get(view) ?? new Map<number, T>()
  votes.set(view, inView)
  const earlier = inView.get(vote.signer)
  if (earlier === undefined) inView.set(vote.signer, vote)
  return earlier
}

/** The votes in `view` for `digest`, by signer, in signer order so that what is built from them is the same everywhere. */
export function votesFor<T extends Signed<'prepare'> | Signed<'commit'>>(
  votes: VotesByView<T>,
  view: number,
  digest: string,
): T[] {
  const matching = [...(votes.get(view)?.values() ?? [])].filter((vote) => vote.body.digest === digest)
  return matching.sort((a, b) => a.signer - b.signer)
}
