// Transactions that wait for a block (docs/protocol.md, "Time, order, fairness" and "Bounds"; PBFT itself has no pool).
//
// One transaction per sender and nonce, the first one wins. A transaction leaves when it was executed, its nonce was used by
// another, it expired, parameters no longer admit it, or a full pool evicted it: never because it was proposed, since a view change
// may drop the proposal. Everything here is synchronous and takes the time from its caller; signatures are checked elsewhere,
// between `check` and `admit`.
import { wireHash as hashWire, transactionId } from '../crypto/digest.ts'
import {
  MEMPOOL_BYTES_MAX,
  MEMPOOL_NONCE_AHEAD_MAX,
  MEMPOOL_PER_PEER_MAX,
  MEMPOOL_PER_SENDER_MAX,
  MEMPOOL_TRANSACTIONS_MAX,
} from '../limits.ts'
import { DecodeError } from '../types/schema.ts'
import { decodeTransaction, type Transaction } from '../types/transaction.ts'
import { compact } from './compact.ts'
import { type Complaints, createComplaints, type PassingBlock, type Taken } from './complaint.ts'
import { findVictim } from './evict.ts'
import { isExpired } from './expiry.ts'
import type { Entry } from './lane.ts'
import { type Refusal, refuse } from './refusal.ts'
import { createResend } from './resend.ts'
import { checkContent, checkState, gasLimitMax, type Rules, wireBytesMax } from './rules.ts'
import { createSeen, type Seen } from './seen.ts'
import { hasExecutable, type InFlight, type SelectLimits, selectFrom } from './select.ts'
import { createStore } from './store.ts'

export type { PassingBlock } from './complaint.ts'
export type { Refusal, RefusalCode } from './refusal.ts'
export type { InFlight, SelectLimits } from './select.ts'

export interface MempoolLimits {
  transactionsMax: number
  bytesMax: number
  perSenderMax: number
  nonceAheadMax: number
  perPeerMax: number
}
export const MEMPOOL_LIMITS: MempoolLimits = {
  transactionsMax: MEMPOOL_TRANSACTIONS_MAX,
  bytesMax: MEMPOOL_BYTES_MAX,
  perSenderMax: MEMPOOL_PER_SENDER_MAX,
  nonceAheadMax: MEMPOOL_NONCE_AHEAD_MAX,
  perPeerMax: MEMPOOL_PER_PEER_MAX,
}

/** A newcomer displaces at most this many: a large transaction never empties the pool of small ones. */
const VICTIMS_MAX = 8
/** Resent at one time; the rest follow at the next. */
const DUE_MAX = 2_000
/** And bytes: asked for once a second, half of what each validator takes of another (inbound.ts). */
const DUE_BYTES_MAX = 2 * 1024 * 1024

export interface Checked {
  ok: true
  transaction: Transaction
  id: string
  wireHash: string
  /** The signature of exactly these bytes has been verified before. */
  known: boolean
}
export type RemovalReason = 'EXECUTED' | 'NONCE_USED' | 'EXPIRED' | 'PARAMETERS' | 'EVICTED'
export interface Removed {
  id: string
  transaction: Transaction
  reason: RemovalReason
}
/** `evicted` is what a full pool gave up for this one. */
export type Admission = { ok: true; id: string; isNew: boolean; evicted: Removed[] } | Refusal

export interface Executed {
  id: string
  sender: string
  nonce: number
  /** False for `NONCE_GAP`, which leaves the transaction pending. */
  final: boolean
}

export interface Mempool {
  /** Everything cheap, to be asked before the signature is verified. `height` is the last executed one. */
  check(wire: Uint8Array, height: number, source?: string): Checked | Refusal
  /** Takes a transaction whose signature was verified. `source` is `local` or a peer's id. */
  admit(checked: Checked, source: string, now: number): Admission
  /** What the next batch takes, at `nextHeight`. It stays in the pool; senders that had their turn go to the back. */
  select(limits: SelectLimits, inFlight: InFlight, nextHeight: number): Transaction[]
  /**
   * Drops what `height` settled. `nextNonces` holds the senders whose nonce moved; `block` is there when the primary of the current view
   * proposed it, and is held against it where it passed over what waits.
   */
  onExecuted(height: number, executed: Executed[], nextNonces: Map<string, number>, block?: PassingBlock): Removed[]
  /** The view whose blocks have passed over a transaction too often (docs/protocol.md, rule 32), or undefined. */
  passedOverIn(): number | undefined
  hasExecutable(inFlight: InFlight): boolean
  get(id: string): Transaction | undefined
  has(id: string): boolean
  /** The nonce the sender's next transaction should have: after those pending without a gap. */
  pendingNonce(sender: string): number
  size(): { count: number; bytes: number }
  /** Transactions admitted here whose time to be sent again has come. */
  due(now: number): Transaction[]
  /** All transactions admitted here and still pending, for a validator that has just reconnected. */
  local(): Transaction[]
  /** The wire forms whose signature is known to be good; proposals add theirs. */
  readonly seen: Seen
}

export type MempoolOptions = Rules & { limits?: MempoolLimits }

export function createMempool(options: MempoolOptions): Mempool {
  const limits = options.limits ?? MEMPOOL_LIMITS
  /** The latest time heard of: waits start from it. */
  let clock = 0
  const store = createStore((lane) => complaints.look(lane, clock))
  const resend = createResend()
  const complaints: Complaints = createComplaints({
    ...options,
    isRoomy: () => store.byId.size * 2 <= limits.transactionsMax && store.bytes() * 2 <= limits.bytesMax,
    isResent: resend.has,
    resend: resend.add,
  })
  const seen = createSeen(limits.transactionsMax)
  let lastHeight = 0
  let admitted = { bytes: wireBytesMax(options.parameters()), gas: gasLimitMax(options.parameters()) }

  const nextOf = (sender: string) => store.lanes.get(sender)?.next ?? options.nonceOf(sender)
  const pendingNonce = (sender: string) => store.lanes.get(sender)?.end ?? options.nonceOf(sender)

  function remove(entry: Entry, reason: RemovalReason): Removed {
    store.remove(entry)
    resend.remove(entry)
    return { id: entry.id, transaction: entry.transaction, reason }
  }

  /** The rules that depend on the executed state and on what is pending for the same sender. */
  function checkPlace(transaction: Transaction, id: string, height: number): Refusal | undefined {
    const { sender, nonce } = transaction
    const at = { height, next: nextOf(sender), nonceAheadMax: limits.nonceAheadMax }
    const refusal = checkState(options, transaction, id, at)
    if (refusal !== undefined) return refusal
    const holder = store.lanes.get(sender)?.entries.get(nonce)
    if (holder === undefined || holder.id === id) return undefined
    const message = `nonce ${nonce} is taken by the pending transaction ${holder.id}: use ${pendingNonce(sender)}`
    return refuse('NONCE_TAKEN', message, id, holder.id)
  }

  /** What has to go for the transaction to fit, one at a time; undefined where it fits, a refusal where nothing may go. */
  function victimFor(transaction: Transaction, id: string, source: string): Entry | Refusal | undefined {
    const { sender, nonce, wire } = transaction
    if (source !== 'local' && store.countFrom(source) >= limits.perPeerMax) {
      return refuse(
        'MEMPOOL_FULL',
        `peer ${source} has its ${limits.perPeerMax} transactions pending: send it later`,
        id,
      )
    }
    const lane = store.lanes.get(sender)
    const pending = lane?.entries.size ?? 0
    if (lane !== undefined && pending >= limits.perSenderMax) {
      if (nonce < lane.highest) return lane.entries.get(lane.highest)
      return refuse('MEMPOOL_FULL', `the sender has ${pending} transactions pending, the most kept: send it later`, id)
    }
    if (store.byId.size < limits.transactionsMax && store.bytes() + wire.length <= limits.bytesMax) return undefined
    const victim = findVictim(store, { distance: nonce - pendingNonce(sender), pending })
    return victim ?? refuse('MEMPOOL_FULL', `the pool is full (${store.byId.size} transactions): send it later`, id)
  }

  /** Makes room, or leaves everything as it was and refuses. */
  function makeRoom(transaction: Transaction, id: string, source: string): Entry[] | Refusal {
    const victims: Entry[] = []
    const nexts: number[] = []
    for (;;) {
      const victim = victimFor(transaction, id, source)
      if (victim === undefined) return victims
      const isRefused = 'ok' in victim
      if (!isRefused && victims.length < VICTIMS_MAX) {
        nexts.push(nextOf(victim.transaction.sender))
        victims.push(victim)
        store.remove(victim)
        continue
      }
      for (let i = victims.length - 1; i >= 0; i--) store.add(victims[i]!, nexts[i]!)
      return isRefused
        ? victim
        : refuse('MEMPOOL_FULL', `the pool has no room for ${transaction.wire.length} bytes`, id)
    }
  }

  function check(wire: Uint8Array, height: number, source = 'local'): Checked | Refusal {
    const most = wireBytesMax(options.parameters())
    if (wire.length > most)
      return refuse('TOO_LARGE', `the transaction has ${wire.length} bytes, at most ${most} are taken`)
    const wireHash = hashWire(wire)
    const pending = store.byWireHash.get(wireHash)
    if (pending !== undefined)
      return { ok: true, transaction: pending.transaction, id: pending.id, wireHash, known: true }
    const transaction = decodeOrRefuse(wire)
    if ('ok' in transaction) return transaction
    const id = transactionId(transaction.unsigned)
    const refusal = checkContent(options, transaction, id) ?? checkPlace(transaction, id, Math.max(height, lastHeight))
    if (refusal !== undefined) return refusal
    if (!store.byId.has(id)) {
      const victim = victimFor(transaction, id, source)
      if (victim !== undefined && 'ok' in victim) return victim
    }
    return { ok: true, transaction, id, wireHash, known: seen.has(wireHash) }
  }

  function admit(checked: Checked, source: string, now: number): Admission {
    const { transaction, id, wireHash } = checked
    clock = Math.max(clock, now)
    seen.add(wireHash)
    const pending = store.byId.get(id)
    if (pending !== undefined) {
      // A client has handed it in here after gossip brought it: from now on it is also resent from here.
      if (source === 'local') resend.add(pending, now)
      return { ok: true, id, isNew: false, evicted: [] }
    }
    const refusal = checkContent(options, transaction, id) ?? checkPlace(transaction, id, lastHeight)
    if (refusal !== undefined) return refusal
    const victims = makeRoom(transaction, id, source)
    if ('ok' in victims) return victims
    for (const victim of victims) resend.remove(victim)
    const holder = store.lanes.get(transaction.sender)?.sender ?? transaction.sender
    const kept = compact(transaction, options.genesisHash, holder)
    const entry = { id, wireHash, transaction: kept, source, at: now }
    store.add(entry, nextOf(transaction.sender))
    if (source === 'local') resend.add(entry, now)
    const evicted = victims.map(
      (victim): Removed => ({ id: victim.id, transaction: victim.transaction, reason: 'EVICTED' }),
    )
    return { ok: true, id, isNew: true, evicted }
  }

  /** Lower limits would make a batch with what they no longer admit invalid, and its sender's later ones wait for ever. */
  function dropOutsideParameters(): Removed[] {
    const allowed = { bytes: wireBytesMax(options.parameters()), gas: gasLimitMax(options.parameters()) }
    const isLower = allowed.bytes < admitted.bytes || allowed.gas < admitted.gas
    admitted = allowed
    if (!isLower) return []
    const outside = [...store.byId.values()].filter(
      ({ transaction }) => transaction.wire.length > allowed.bytes || transaction.gasLimit > allowed.gas,
    )
    return outside.map((entry) => remove(entry, 'PARAMETERS'))
  }

  function takenBy(executed: Executed[]): Taken {
    const taken = { count: executed.length, bytes: 0, gas: 0, newestAt: Number.NEGATIVE_INFINITY }
    for (const { id } of executed) {
      const entry = store.byId.get(id)
      taken.newestAt = Math.max(taken.newestAt, entry?.at ?? Number.POSITIVE_INFINITY)
      taken.bytes += entry?.transaction.wire.length ?? 0
      taken.gas += entry?.transaction.gasLimit ?? 0
    }
    return taken
  }

  function onExecuted(
    height: number,
    executed: Executed[],
    nextNonces: Map<string, number>,
    block?: PassingBlock,
  ): Removed[] {
    lastHeight = Math.max(lastHeight, height)
    clock = Math.max(clock, block?.now ?? 0)
    const taken = takenBy(executed)
    const removed: Removed[] = []
    const ran = new Set<string>()
    for (const { id, final } of executed) if (final) ran.add(id)
    for (const [sender, next] of nextNonces) {
      for (const entry of store.advance(sender, next)) {
        resend.remove(entry)
        const reason = ran.has(entry.id) ? 'EXECUTED' : 'NONCE_USED'
        removed.push({ id: entry.id, transaction: entry.transaction, reason })
      }
    }
    // Final without using a nonce: skipped as expired.
    for (const id of ran) {
      const entry = store.byId.get(id)
      if (entry === undefined) continue
      removed.push(remove(entry, isExpired(entry.transaction.expires, height) ? 'EXPIRED' : 'EXECUTED'))
    }
    for (const entry of store.expiry.expired(height)) removed.push(remove(entry, 'EXPIRED'))
    removed.push(...dropOutsideParameters())
    if (block !== undefined) complaints.onBlock(block, taken)
    return removed
  }

  return {
    check,
    admit,
    select: (room, inFlight, nextHeight) => selectFrom(store.turns, room, inFlight, nextHeight),
    onExecuted,
    passedOverIn: complaints.view,
    hasExecutable: (inFlight) => hasExecutable(store.turns, inFlight),
    get: (id) => store.byId.get(id)?.transaction,
    has: (id) => store.byId.has(id),
    pendingNonce,
    size: () => ({ count: store.byId.size, bytes: store.bytes() }),
    due: (now) => resend.due(now, DUE_MAX, DUE_BYTES_MAX).map((entry) => entry.transaction),
    local: () => Array.from(resend.all(), (entry) => entry.transaction),
    seen,
  }
}

function decodeOrRefuse(wire: Uint8Array): Transaction | Refusal {
  try {
    return decodeTransaction(wire)
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    return refuse(
      'MALFORMED',
      `these bytes are not a transaction: ${error.message}: encode it as docs/protocol.md says`,
    )
  }
}
