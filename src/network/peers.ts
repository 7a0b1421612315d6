// The table of peers that have said hello, and who is let in. A peer may have several connections (both sides dialled at once); none of
// them is closed while it lives, because libp2p's gossip does not survive losing the one it happens to use.
import type { Connection } from '@libp2p/interface'
import type { NetworkLimits, PeerInfo } from './port.ts'
import type { IdentityRecord } from './record.ts'

/** One connection. `ready` once the other side's hello was checked; what arrives before waits in `waiting`. */
export interface Link {
  readonly connection: Connection
  readonly peerId: string
  readonly openedAt: number
  lastHeardAt: number
  ready: boolean
  isDown: boolean
  waiting: (() => void)[]
}

export interface Peer {
  readonly info: PeerInfo
  readonly links: Set<Link>
  record: IdentityRecord
}

export interface PeersOptions {
  limits: NetworkLimits
  isValidator(publicKeyHex: string): boolean
  /** Closes every connection of a peer that another one replaces. */
  onReplaced(peer: Peer, reason: string): void
  onConnect(peer: Peer): void
  onDisconnect(peer: Peer): void
}

export interface Peers {
  /** Takes a link whose hello was checked; a text says why not. */
  admit(link: Link, record: IdentityRecord): string | undefined
  remove(link: Link): void
  /** Forgets a peer at once, whatever its links do. */
  forget(peerId: string): void
  get(peerId: string): Peer | undefined
  /** The peer that proved this validator key, whether the key is in the current set or not. */
  withKey(publicKeyHex: string): Peer | undefined
  all(): Peer[]
  isCurrentValidator(peer: Peer): boolean
  strangers(): number
}

export function createPeers(options: PeersOptions): Peers {
  const { limits, isValidator } = options
  const peers = new Map<string, Peer>()
  const byKey = new Map<string, Peer>()

  const isCurrentValidator = (peer: Peer) => peer.info.validator !== null && isValidator(peer.info.validator)

  function strangers(): number {
    let count = 0
    for (const peer of peers.values()) if (!isCurrentValidator(peer)) count++
    return count
  }

  function admit(link: Link, record: IdentityRecord): string | undefined {
    const existing = peers.get(link.peerId)
    const rival = record.validator === null ? undefined : byKey.get(record.validator)
    if (rival !== undefined && rival !== existing && rival.record.sequence >= record.sequence) {
      return 'another peer acts for the same validator key with a newer record'
    }
    if (existing === undefined && (record.validator === null || !isValidator(record.validator))) {
      if (strangers() >= limits.strangers) return `there are ${limits.strangers} peers already that are no validators`
      if (peers.size >= limits.peers) return `there are ${limits.peers} peers already`
    }
    if (rival !== undefined && rival !== existing) options.onReplaced(rival, 'a newer peer acts for its validator key')
    const peer = existing ?? createPeer(link, record)
    peer.links.add(link)
    describe(peer, record)
    link.ready = true
    if (existing === undefined) {
      peers.set(link.peerId, peer)
      options.onConnect(peer)
    }
    return undefined
  }

  function describe(peer: Peer, record: IdentityRecord): void {
    if (peer.info.validator !== null && byKey.get(peer.info.validator) === peer) byKey.delete(peer.info.validator)
    peer.record = record
    peer.info.validator = record.validator
    peer.info.addresses = record.addresses
    if (record.validator !== null) byKey.set(record.validator, peer)
  }

  function forget(peerId: string): void {
    const peer = peers.get(peerId)
    if (peer === undefined) return
    peers.delete(peerId)
    if (peer.info.validator !== null && byKey.get(peer.info.validator) === peer) byKey.delete(peer.info.validator)
    options.onDisconnect(peer)
  }

  function remove(link: Link): void {
    const peer = peers.get(link.peerId)
    if (peer?.links.delete(link) && peer.links.size === 0) forget(link.peerId)
  }

  return {
    admit,
    remove,
    forget,
    get: (peerId) => peers.get(peerId),
    withKey: (publicKeyHex) => byKey.get(publicKeyHex),
    all: () => [...peers.values()],
    isCurrentValidator,
    strangers,
  }
}

function createPeer(link: Link, record: IdentityRecord): Peer {
  const now = Date.now()
  const info: PeerInfo = {
    id: link.peerId,
    validator: record.validator,
    addresses: record.addresses,
    direction: link.connection.direction === 'inbound' ? 'in' : 'out',
    connectedAt: now,
    lastHeardAt: now,
    queuedBytes: 0,
  }
  return { info, links: new Set(), record }
}
