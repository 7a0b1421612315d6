// Keeps this node connected: a loop that dials bootstrap nodes, validators of the address book and what mDNS finds. libp2p's own means
// do not last (its bootstrap dials once, its keep-alive gives up, its stored addresses expire), so full addresses are dialled from here.
import { multiaddr } from '@multiformats/multiaddr'
import type { AddressBook } from './address-book.ts'
import type { NetworkLogger } from './port.ts'
import { dialable, peerIdIn } from './record.ts'
import type { Swarm } from './swarm.ts'

const BACKOFF_FIRST_MS = 500
/** Short, so that a network that heals is whole again within a timeout or two of the protocol. */
const BACKOFF_MAX_MS = 2000
const DIAL_TIMEOUT_MS = 6000
/** Few at a time: on a busy machine many handshakes at once all run out of time, and are all begun again. */
const DIALS_AT_ONCE = 5
/**
 * The side with the higher peer id leaves the first attempt to the other: two simultaneous dials make two connections. Not with
 * bootstrap nodes, which may know nothing of us.
 */
const YIELD_MS = 300
/** A connection that lived shorter than this counts as a failed attempt: a peer that refuses us lets the dial succeed first. */
const SHORT_LIFE_MS = 2000
const FOUND_MAX = 64
/** A node without a vote keeps this many connections of its own making; each validator dials all others. */
const OBSERVER_CONNECTIONS = 8

export interface DialerOptions {
  swarm: Swarm
  ownId: string
  bootstrap: string[]
  book: AddressBook
  logger: NetworkLogger
  isOwnValidator(): boolean
  isConnected(peerId: string): boolean
  isBanned(peerId: string): boolean
  connectionCount(): number
  /** False when there is no room for one more peer that is no validator. */
  hasRoom(): boolean
  /** The connected peer that listens on this address, when one does. */
  peerAt(address: string): string | undefined
}

interface Attempt {
  failures: number
  notBefore: number
  isDialing: boolean
  wantedSince: number
}

interface Target {
  /** A peer id, or an address whose peer is not known yet. */
  key: string
  peerId: string | undefined
  addresses: string[]
  isBootstrap?: boolean
}

export interface Dialer {
  tick(now: number): void
  found(peerId: string, addresses: string[]): void
  /** A connection ended after `livedMs`. */
  ended(peerId: string, livedMs: number): void
  stop(): void
}

export function createDialer(options: DialerOptions): Dialer {
  const { swarm, ownId, book } = options
  const attempts = new Map<string, Attempt>()
  const found = new Map<string, string[]>()
  /** Bootstrap addresses given without a peer id: who answered there last. */
  const answeredBy = new Map<string, string>()
  const stopping = new AbortController()
  let dialing = 0

  function targets(): Target[] {
    const byKey = new Map<string, Target>()
    const add = (peerId: string, addresses: string[], isBootstrap = false) => {
      const target = byKey.get(peerId) ?? { key: peerId, peerId, addresses: [], isBootstrap }
      target.addresses = [...new Set([...target.addresses, ...addresses])]
      byKey.set(peerId, target)
    }
    for (const address of options.bootstrap) {
      const peerId = peerIdIn(address)
      if (peerId !== undefined) add(peerId, [address], true)
      else if (!isReached(address)) byKey.set(address, { key: address, peerId: undefined, addresses: [address] })
    }
    const seeksMore = options.isOwnValidator() || options.connectionCount() < OBSERVER_CONNECTIONS
    if (seeksMore) for (const record of book.validators()) add(record.peerId, record.addresses)
    if (seeksMore && options.hasRoom()) for (const [peerId, addresses] of found) add(peerId, addresses)
    // Remembered peers without a vote are asked only when there is nobody: they know the way to the validators.
    if (options.connectionCount() === 0) for (const { peerId, addresses } of book.others()) add(peerId, addresses)
    return [...byKey.values()].filter((target) => target.addresses.length > 0)
  }

  function isReached(address: string): boolean {
    const peerId = answeredBy.get(address) ?? options.peerAt(address)
    if (peerId === undefined) return false
    return peerId === ownId || options.isConnected(peerId) || options.isBanned(peerId)
  }

  function tick(now: number): void {
    const wanted = targets().filter(({ peerId }) => {
      return peerId === undefined || (peerId !== ownId && !options.isConnected(peerId) && !options.isBanned(peerId))
    })
    const keys = new Set(wanted.map((target) => target.key))
    for (const [key, attempt] of attempts) {
      if (attempt.isDialing || keys.has(key)) continue
      // Kept while it matters: the failures of a peer that is connected, but perhaps not for long.
      attempt.wantedSince = 0
      if (now > attempt.notBefore + 60_000) attempts.delete(key)
    }
    for (const target of wanted) {
      const attempt = attemptOf(target, now)
      if (attempt.isDialing || now < attempt.notBefore || dialing >= DIALS_AT_ONCE) continue
      void dial(target, attempt)
    }
  }

  function attemptOf(target: Target, now: number): Attempt {
    let attempt = attempts.get(target.key)
    if (attempt === undefined) {
      attempt = { failures: 0, notBefore: 0, isDialing: false, wantedSince: 0 }
      attempts.set(target.key, attempt)
    }
    if (attempt.wantedSince === 0) {
      attempt.wantedSince = now
      const yields = target.peerId !== undefined && !target.isBootstrap && ownId > target.peerId
      if (yields) attempt.notBefore = Math.max(attempt.notBefore, now + YIELD_MS)
    }
    return attempt
  }

  async function dial(target: Target, attempt: Attempt): Promise<void> {
    attempt.isDialing = true
    dialing++
    try {
      const turn = attempt.failures % target.addresses.length
      // Another address goes first each time: one that swallows packets would use up the time of all.
      const inTurn = [...target.addresses.slice(turn), ...target.addresses.slice(0, turn)]
      const signal = AbortSignal.any([stopping.signal, AbortSignal.timeout(DIAL_TIMEOUT_MS)])
      const connection = await swarm.dial(
        inTurn.map((address) => multiaddr(address)),
        { signal },
      )
      if (target.peerId === undefined) answeredBy.set(target.key, connection.remotePeer.toString())
      attempt.notBefore = Date.now() + BACKOFF_FIRST_MS
    } catch (error) {
      if (target.peerId === undefined && isSelf(error)) answeredBy.set(target.key, ownId)
      fail(attempt)
      options.logger.debug(
        { target: target.key, failures: attempt.failures, reason: (error as Error).message },
        'A dial failed.',
      )
    } finally {
      attempt.isDialing = false
      dialing--
    }
  }

  function fail(attempt: Attempt): void {
    attempt.failures++
    const wait = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** Math.min(attempt.failures - 1, 10))
    attempt.notBefore = Date.now() + wait * (0.75 + Math.random() / 2)
  }

  return {
    tick,
    found(peerId, addresses) {
      const usable = addresses.flatMap((address) => dialable(address, peerId) ?? []).slice(0, 8)
      if (peerId === ownId || usable.length === 0) return
      found.delete(peerId)
      found.set(peerId, usable)
      if (found.size > FOUND_MAX) found.delete(found.keys().next().value!)
    },
    ended(peerId, livedMs) {
      for (const key of [peerId, ...options.bootstrap.filter((address) => answeredBy.get(address) === peerId)]) {
        const attempt = attempts.get(key)
        if (attempt === undefined) continue
        if (livedMs < SHORT_LIFE_MS) fail(attempt)
        else attempt.failures = 0
      }
    },
    stop: () => stopping.abort(),
  }
}

function isSelf(error: unknown): boolean {
  const errors = error instanceof AggregateError ? error.errors : [error]
  return errors.some((each) => each instanceof Error && /dial self/i.test(each.message))
}
