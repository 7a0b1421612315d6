// Whom to ask for blocks. Claimed heights are hints that cost nothing to make, so peers are ranked by what they delivered: whoever
// failed least is asked first, validators before strangers, whose names are free.

export interface SyncPeer {
  readonly id: string
  /** The certified height it claims, or more where it delivered more. */
  height: number
  isValidator: boolean
  /** Failures and late answers since its last good one. */
  failures: number
  /** It failed just now and is left alone until then. */
  asideUntil: number
  /** Its last answer was good: only then are its claims believed, and several things asked of it at once. */
  isProven: boolean
  /** Requests to it that are under way. */
  open: number
}

export interface SyncPeers {
  onHeight(id: string, height: number, isValidator: boolean): void
  onGone(id: string): void
  /** The highest claim of a peer that may be asked now. */
  highest(): number
  /** The highest claim that is believed. */
  highestProven(): number
  /** Whom to ask for blocks from this height on. */
  pick(from: number, except: ReadonlySet<SyncPeer>): SyncPeer | undefined
  /** A proven peer with room for another request, whatever it claims. */
  pickProven(): SyncPeer | undefined
  onGood(peer: SyncPeer, height: number, wasLate: boolean): void
  onLate(peer: SyncPeer): void
  onFailure(peer: SyncPeer): void
}

/** A peer that failed is asked again after this long. */
const RETRY_MS = 2_000
const FAILURES_MAX = 1_000
/** Requests to one peer at once: one being served, one on its way. A peer that has proven nothing gets one. */
const OPEN_PER_PEER_MAX = 2

export function createSyncPeers(now: () => number): SyncPeers {
  const known = new Map<string, SyncPeer>()
  const rankOf = ({ failures, isValidator }: SyncPeer) => failures + (isValidator ? 0 : FAILURES_MAX + 1)
  const mayAsk = (peer: SyncPeer) => peer.asideUntil <= now() && peer.open < (peer.isProven ? OPEN_PER_PEER_MAX : 1)

  /** Negative when `a` is the better choice. */
  const compare = (a: SyncPeer, b: SyncPeer) => rankOf(a) - rankOf(b) || a.open - b.open || b.height - a.height

  function best(suits: (peer: SyncPeer) => boolean): SyncPeer | undefined {
    let found: SyncPeer | undefined
    for (const peer of known.values()) {
      if (suits(peer) && mayAsk(peer) && (found === undefined || compare(peer, found) < 0)) found = peer
    }
    return found
  }

  function highest(suits: (peer: SyncPeer) => boolean): number {
    let height = 0
    for (const peer of known.values()) if (suits(peer)) height = Math.max(height, peer.height)
    return height
  }

  const addFailure = (peer: SyncPeer) => {
    peer.failures = Math.min(peer.failures + 1, FAILURES_MAX)
  }

  return {
    onHeight(id, height, isValidator) {
      const peer = known.get(id)
      if (peer === undefined) {
        known.set(id, { id, height, isValidator, failures: 0, asideUntil: 0, isProven: false, open: 0 })
        return
      }
      peer.height = height
      peer.isValidator ||= isValidator
    },
    onGone: (id) => void known.delete(id),
    highest: () => highest((peer) => peer.asideUntil <= now()),
    highestProven: () => highest((peer) => peer.isProven),
    pick: (from, except) => best((peer) => peer.height >= from && !except.has(peer)),
    pickProven: () => best((peer) => peer.isProven),
    onGood(peer, height, wasLate) {
      peer.isProven = true
      peer.height = Math.max(peer.height, height)
      if (!wasLate) peer.failures = 0
    },
    onLate: addFailure,
    onFailure(peer) {
      addFailure(peer)
      peer.isProven = false
      peer.asideUntil = now() + RETRY_MS
    },
  }
}
