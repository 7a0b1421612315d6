// What peers send, on its way to the part it is for. Nothing reaches the core that the edge has not verified.

import type { Core } from './consensus/core.ts'
import { proposerOf } from './consensus/proposer.ts'
import { batchDigest, wireHash } from './crypto/digest.ts'
import type { Verifier } from './crypto/verifier.ts'
import { createEarlyProposals } from './early.ts'
import { MEMPOOL_BYTES_MAX } from './limits.ts'
import { type BatchRules, checkBatch } from './network/batch.ts'
import { createBucket } from './network/bucket.ts'
import type { Edge } from './network/edge.ts'
import type { Replica } from './replica.ts'
import { type Batch, batchCodec } from './types/block.ts'
import type { Message, Proposal, Status } from './types/message.ts'
import { DecodeError, decode } from './types/schema.ts'

export interface InboundPorts {
  core: Core
  edge: Edge
  replica: Pick<Replica, 'push'>
  verifier: Pick<Verifier, 'verifyBatch'>
  rules: BatchRules
  /** Remembers a wire form whose signature was verified. */
  markVerified(wireHash: string): void
  /** Index of a validator of the current set by its key. */
  validatorIndex(key: string): number | undefined
  onStatus(peer: string, validator: string | null, status: Status): void
  onTransactions(peer: string, frame: Uint8Array): Promise<void>
  blame(peer: string, reason: string): void
  onError(error: unknown): void
  /** Milliseconds on a clock that never jumps. */
  now(): number
}

/** A connected peer, and the validator key it proved. */
interface Sender {
  id: string
  validator: string | null
}

type Channel = 'consensus' | 'proposals' | 'transactions'

export interface Inbound {
  onFrame(peer: Sender, channel: Channel, frame: Uint8Array): void
  /** The core has entered a view or moved its window: what came too early for that may be wanted now. */
  onMoved(): void
  /** The peer's connection ended. */
  onGone(peer: string): void
}

const STRANGER_BYTES_PER_SECOND = 512 * 1024
const STRANGER_BYTES_BURST = 2 * 1024 * 1024
/** What a frame costs beside its bytes: with the stranger's budget, 500 frames a second. */
const FRAME_BYTES = 1024
/** Frames for the core, far above what votes, their repetition and STATUS of a validator come to. */
const VALIDATOR_FRAMES_PER_SECOND = 4_000
const VALIDATOR_FRAMES_BURST = 16_000
/** Transactions of a validator, ten times what the fastest network measured passes on; at first all that its pool may hold for the others. */
const VALIDATOR_TRANSACTION_BYTES_PER_SECOND = 4 * 1024 * 1024
const VALIDATOR_TRANSACTION_BYTES_BURST = MEMPOOL_BYTES_MAX

export function createInbound(ports: InboundPorts): Inbound {
  const { core, edge, replica } = ports
  /** Views and sequences of which a batch is being checked, one at a time: neither copies nor a flood of a lying primary's cost more. */
  const checking = new Set<string>()
  const early = createEarlyProposals<Sender>(core.state)
  const strangers = new Map<string, ReturnType<typeof createBucket>>()
  /** By validator, not by peer: node keys cost nothing. */
  const validators = new Map<number, ReturnType<typeof createValidatorBudget>>()

  function budgetOf(index: number) {
    const budget = validators.get(index) ?? createValidatorBudget()
    validators.set(index, budget)
    return budget
  }

  const mayPassOn = (index: number, bytes: number): boolean => budgetOf(index).transactionBytes(bytes, ports.now())

  /** Who is no validator gets little of this thread: a bucket of bytes each, forgotten with the connection. */
  function mayTakeTime(peer: Sender, index: number | undefined, bytes: number): boolean {
    if (index !== undefined) return budgetOf(index).frames(1, ports.now())
    const take = strangers.get(peer.id) ?? createBucket(STRANGER_BYTES_PER_SECOND, STRANGER_BYTES_BURST)
    strangers.set(peer.id, take)
    return take(bytes, ports.now())
  }

  function onFrame(peer: Sender, channel: Channel, frame: Uint8Array): void {
    const index = peer.validator === null ? undefined : ports.validatorIndex(peer.validator)
    // What clients gave it may be more than others take: it sends that again later, and its votes still count.
    if (index !== undefined && channel === 'transactions' && !mayPassOn(index, frame.length)) return
    if (!mayTakeTime(peer, index, FRAME_BYTES + frame.length))
      return ports.blame(peer.id, `more ${channel} than it may send`)
    if (channel === 'transactions') {
      ports.onTransactions(peer.id, frame).catch(ports.onError)
      return
    }
    check(peer, channel, frame)
  }

  function check(peer: Sender, channel: 'consensus' | 'proposals', frame: Uint8Array): void {
    const verdict = edge.checkFrame(frame, channel)
    if (verdict.ok) return take(peer, verdict.message)
    if (verdict.fault === 'bad') return ports.blame(peer.id, verdict.reason)
    if (verdict.fault !== 'unwanted' || verdict.message.type !== 'proposal' || peer.validator === null) return
    const { signer } = verdict.message.prePrepare
    if (ports.validatorIndex(peer.validator) === signer) early.hold({ peer, frame }, verdict.message)
  }

  /** Every signature in it was verified. */
  function take(peer: Sender, message: Message): void {
    switch (message.type) {
      case 'proposal':
        onProposal(peer.id, message).catch(ports.onError)
        return
      case 'prepare':
      case 'commit':
      case 'exec':
      case 'suspect':
        replica.push({ type: 'vote', vote: message.vote })
        return
      case 'view-change':
        replica.push({ type: 'view-change', change: message.change })
        return
      case 'new-view':
        replica.push({ type: 'new-view', newView: message.newView })
        return
      case 'body-request':
        return onBodyRequest(peer, message.digest)
      case 'body':
        return onBody(message.batch)
      case 'status':
        return onStatus(peer, message)
    }
  }

  function onStatus(peer: Sender, message: Status): void {
    const { epoch, view, active, h, lastExec } = message
    const status = { epoch, view, active, h, lastExec }
    ports.onStatus(peer.id, peer.validator, status)
    const from = peer.validator === null ? undefined : ports.validatorIndex(peer.validator)
    if (from !== undefined) replica.push({ type: 'status', from, status })
  }

  function onBodyRequest(peer: Sender, digest: string): void {
    const from = peer.validator === null ? undefined : ports.validatorIndex(peer.validator)
    if (from !== undefined) replica.push({ type: 'body-request', from, digest })
  }

  /** Taken only while it is waited for: its digest was prepared by a quorum, so it was checked by correct validators. */
  function onBody(bytes: Uint8Array): void {
    if (core.state.bodiesAskedAt.size === 0) return
    const batch = readBatch(bytes)
    if (batch === undefined) return
    const digest = batchDigest(batch)
    if (core.isAskedFor(digest)) replica.push({ type: 'body', body: { digest, batch, bytes } })
  }

  /** The batch is decoded, matched with its digest, and every signature in it not seen before is verified, off this thread. */
  async function onProposal(peer: string, proposal: Proposal): Promise<void> {
    const { view, seq, digest } = proposal.prePrepare.body
    const { state } = core
    const { windowBlocks } = state.epoch.parameters
    const place = `${view} ${seq}`
    if (view !== state.view || seq <= state.h || seq > state.h + windowBlocks || checking.has(place)) return
    if (state.slots.get(seq)?.accepted.get(view)?.digest === digest) return
    if (proposal.prePrepare.signer !== proposerOf(state.epoch, view, seq)) {
      return ports.blame(
        peer,
        `a proposal for sequence ${seq} by validator ${proposal.prePrepare.signer}, whose turn it is not`,
      )
    }
    const { prePrepare, prepare } = proposal
    if (prepare.signer !== prePrepare.signer || !isSameSlot(prepare.body, prePrepare.body))
      return ports.blame(peer, 'a proposal with the PREPARE of another')
    const batch = readBatch(proposal.batch)
    if (batch === undefined || batchDigest(batch) !== digest)
      return ports.blame(peer, 'a proposal whose batch is not the signed one')
    checking.add(place)
    try {
      const checked = checkBatch(batch, ports.rules)
      if (!checked.ok) return ports.blame(peer, `a proposal with ${checked.reason}`)
      const verdicts = await ports.verifier.verifyBatch(checked.unverified)
      if (verdicts.includes(false)) return ports.blame(peer, 'a proposal with a wrongly signed transaction')
    } finally {
      checking.delete(place)
    }
    for (const wire of batch.txs) ports.markVerified(wireHash(wire))
    replica.push({ type: 'proposal', proposal: { ...proposal }, batch })
  }

  return {
    onFrame,
    onMoved() {
      for (const { peer, frame } of early.release(core.isProposalWanted)) check(peer, 'proposals', frame)
    },
    onGone: (peer) => void strangers.delete(peer),
  }
}

/** Frames of any kind, and the bytes of those with transactions: one frame holds thousands. */
const createValidatorBudget = () => ({
  frames: createBucket(VALIDATOR_FRAMES_PER_SECOND, VALIDATOR_FRAMES_BURST),
  transactionBytes: createBucket(VALIDATOR_TRANSACTION_BYTES_PER_SECOND, VALIDATOR_TRANSACTION_BYTES_BURST),
})

const isSameSlot = (a: Slot, b: Slot): boolean => a.view === b.view && a.seq === b.seq && a.digest === b.digest
type Slot = { view: number; seq: number; digest: string }

function readBatch(bytes: Uint8Array): Batch | undefined {
  try {
    return decode(batchCodec, bytes)
  } catch (error) {
    if (error instanceof DecodeError) return undefined
    throw error
  }
}
