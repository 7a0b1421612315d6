// What the rest of the node sees of the network: types and bounds, no libp2p.
import { PROPOSAL_FRAME_BYTES_MAX } from '../limits.ts'

/** Separate long-lived streams, one outbound per class and peer, so that a flood of one class never starves another. */
export type Channel = 'consensus' | 'proposals' | 'transactions'
export const CHANNELS: readonly Channel[] = ['consensus', 'proposals', 'transactions']

export type Topic = 'transactions' | 'blocks'
export const TOPICS: readonly Topic[] = ['transactions', 'blocks']

/** What is asked for: protocols of their own with room of their own, so that those who join never keep others from blocks. */
export type RequestKind = 'blocks' | 'snapshots'

export interface PeerInfo {
  /** The libp2p peer id: the node key, proven by the Noise handshake. */
  id: string
  /** The validator key this peer proved it acts for, in hexadecimal; whether it is in the current set is the caller's question. */
  validator: string | null
  /** Full multiaddrs, `/p2p/` included, that the peer says it listens on. */
  addresses: string[]
  direction: 'in' | 'out'
  connectedAt: number
  lastHeardAt: number
  queuedBytes: number
}

export interface NetworkLogger {
  debug(detail: object, message: string): void
  info(detail: object, message: string): void
  warn(detail: object, message: string): void
}

export interface NetworkLimits {
  frameBytes: Record<Channel, number>
  requestBytes: number
  responseBytes: number
  gossipBytes: number
  /** Bytes waiting to be sent, per peer and channel. */
  queueBytes: number
  /** Peers in all; validators of the current set are admitted beyond it. */
  peers: number
  /** Peers that are no validators of the current set. */
  strangers: number
  /** Connections that have not said hello yet, from peers not known as validators. */
  pending: number
  /** Requests being answered: for one peer, in all, and the bytes of answers not yet taken by their askers. */
  servingPerPeer: number
  servingTotal: number
  servingBytes: number
  /** Requests asked of one peer and not answered yet. */
  askingPerPeer: number
  /** The same for requests about snapshots. */
  snapshotServingPerPeer: number
  snapshotServingTotal: number
  snapshotServingBytes: number
  /** Gossip taken from one peer each second, and its bytes; both may burst to four seconds' worth. */
  gossipMessagesPerSecond: number
  gossipBytesPerSecond: number
}

const MIB = 1024 * 1024

export const DEFAULT_LIMITS: Readonly<NetworkLimits> = {
  frameBytes: { consensus: MIB, proposals: PROPOSAL_FRAME_BYTES_MAX, transactions: 4 * MIB },
  requestBytes: MIB,
  responseBytes: 16 * MIB,
  gossipBytes: MIB,
  queueBytes: 8 * MIB,
  peers: 200,
  strangers: 64,
  pending: 64,
  servingPerPeer: 8,
  servingTotal: 64,
  servingBytes: 64 * MIB,
  askingPerPeer: 16,
  snapshotServingPerPeer: 4,
  snapshotServingTotal: 16,
  snapshotServingBytes: 32 * MIB,
  gossipMessagesPerSecond: 500,
  gossipBytesPerSecond: 16 * MIB,
}

export interface TransportOptions {
  /** Hexadecimal. Every protocol id and topic carries it, so two networks never mix. */
  genesisHash: string
  /** 32 bytes; the libp2p identity, never the validator key. */
  nodeKeySeed: Uint8Array
  listen: string[]
  announce?: string[]
  /** Multiaddrs, with or without `/p2p/…`. */
  bootstrap: string[]
  mdns: boolean
  addressBookFile?: string
  /** The validator key, when this node has one. */
  identity?: { publicKey: Uint8Array; sign(bytes: Uint8Array): Uint8Array }
  verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean
  /** Asks about the current set; the answer may change over time. */
  isValidator(publicKeyHex: string): boolean
  logger: NetworkLogger
  limits?: Partial<NetworkLimits>
  /** The gossip topics to receive and to pass on; both unless told. */
  subscribe?: readonly Topic[]
}

export interface RequestOptions {
  timeoutMs: number
  signal?: AbortSignal
  maxBytes?: number
  /** 'blocks' unless told. */
  kind?: RequestKind
}

export interface Transport {
  start(): Promise<void>
  stop(): Promise<void>
  readonly id: string
  /** Full multiaddrs of this node, `/p2p/` included. */
  addresses(): string[]
  peers(): PeerInfo[]
  /** Validator key in hexadecimal to peer id: connected peers that proved a key of the current set. */
  connectedValidators(): Map<string, string>
  /**
   * Best effort: true when the frame was queued. A full consensus queue gives up its oldest frames; the others refuse. The frame must
   * not be changed afterwards. Never throws.
   */
  send(peerId: string, channel: Channel, frame: Uint8Array): boolean
  sendToValidator(publicKeyHex: string, channel: Channel, frame: Uint8Array): boolean
  broadcast(channel: Channel, frame: Uint8Array, to: 'validators' | 'all'): void
  /** Rejects with a RequestError, whose `code` says why. */
  request(peerId: string, payload: Uint8Array, options: RequestOptions): Promise<Uint8Array>
  publish(topic: Topic, payload: Uint8Array): Promise<void>
  /** For misbehaviour: closes at once and refuses the peer for `banMs` (ten seconds unless told). */
  drop(peerId: string, reason: string, banMs?: number): void
  /** A throw drops the peer and is logged. */
  onFrame: (peer: PeerInfo, channel: Channel, frame: Uint8Array) => void
  onRequest: (peer: PeerInfo, payload: Uint8Array, kind: RequestKind) => Promise<Uint8Array>
  /** `reject` drops the peer that passed the message on: say it only of what no honest node passes on. */
  onGossip: (peerId: string, topic: Topic, payload: Uint8Array) => 'accept' | 'ignore' | 'reject'
  /** After hello, once per peer however many connections there are. */
  onConnect: (peer: PeerInfo) => void
  onDisconnect: (peer: PeerInfo) => void
}

/** One text per fault, for error messages and logs. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
