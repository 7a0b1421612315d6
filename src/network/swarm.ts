// The libp2p node and its configuration. Where a value differs from libp2p's default, the comment says what the default does.

import { createHash } from 'node:crypto'
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import { type GossipSub, gossipsub, type SignaturePolicy } from '@libp2p/gossipsub'
import { type Identify, identify } from '@libp2p/identify'
import type { ConnectionGater, Libp2p, PeerDiscovery, PeerInfo } from '@libp2p/interface'
import { mdns } from '@libp2p/mdns'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'

const MIB = 1024 * 1024
const NO_SIGNATURES: SignaturePolicy = 'StrictNoSign'

export type Swarm = Libp2p<{ identify: Identify; pubsub: GossipSub }>

export interface SwarmOptions {
  genesisHash: string
  nodeKeySeed: Uint8Array
  listen: string[]
  announce: string[]
  /** Addresses whose hosts pass libp2p's own limits on inbound connections; the gater still judges each peer. */
  trusted: string[]
  connectionsMax: number
  topics: string[]
  gater: ConnectionGater
  /** A peer's gossip score, on top of gossipsub's own. */
  scoreOf(peerId: string): number
  /** What mDNS finds, each time it answers; absent: no mDNS. */
  onFound?(peerId: string, addresses: string[]): void
}

/** The node, not started: protocols are registered first, or early streams would be refused. */
export async function createSwarm(options: SwarmOptions): Promise<Swarm> {
  return createLibp2p({
    start: false,
    privateKey: await generateKeyPairFromSeed('Ed25519', options.nodeKeySeed),
    nodeInfo: { name: 'quorate', version: '1', userAgent: 'quorate/1' },
    addresses: { listen: options.listen, announce: options.announce },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [streams()],
    connectionManager: {
      maxConnections: options.connectionsMax,
      // Defaults: 5 a second from one host, 10 pending in all; fifteen idle sockets then block every inbound connection.
      inboundConnectionThreshold: 256,
      maxIncomingPendingConnections: 128,
      inboundUpgradeTimeout: 6000,
      dialTimeout: 6000,
      allow: hostsOf(options.trusted),
    },
    // Liveness is judged by what is heard on the hello stream (links.ts): libp2p's monitor aborts a connection whose ping waits behind
    // bulk data on a slow line, and each of its pings negotiates a stream of its own.
    connectionMonitor: { enabled: false },
    // Default: addresses expire after an hour, even of connected peers.
    peerStore: { maxAddressAge: Number.POSITIVE_INFINITY },
    connectionGater: options.gater,
    peerDiscovery: options.onFound === undefined ? [] : [discovery(options.genesisHash, options.onFound)],
    services: { identify: identify(), pubsub: gossip(options) },
  })
}

function streams(): ReturnType<typeof yamux> {
  return yamux({
    maxInboundStreams: 64,
    streamOptions: {
      // Default window: 16 MiB, more than the read buffer takes, so that a paused stream is aborted.
      maxStreamWindowSize: MIB,
      maxReadBufferLength: 4 * MIB,
      // Default: unlimited. The paced writer never comes near it.
      maxWriteBufferLength: 8 * MIB,
    },
  })
}

function gossip(options: SwarmOptions): ReturnType<typeof gossipsub> {
  return gossipsub({
    globalSignaturePolicy: NO_SIGNATURES,
    msgIdFn: (message) => createHash('sha256').update(message.topic).update('\0').update(message.data).digest(),
    fallbackToFloodsub: false,
    allowPublishToZeroTopicPeers: true,
    ignoreDuplicatePublishError: true,
    tagMeshPeers: false,
    allowedTopics: options.topics,
    // Overflow closes the stream for good; the watchdog (gossip.ts) mends that.
    maxOutboundBufferSize: 16 * MIB,
    scoreParams: {
      // Default: eleven peers behind one address score below zero and are muted.
      IPColocationFactorWeight: 0,
      appSpecificScore: options.scoreOf,
      appSpecificWeight: 10,
    },
  })
}

function discovery(genesisHash: string, onFound: NonNullable<SwarmOptions['onFound']>) {
  const create = mdns({ serviceTag: `_quorate-${genesisHash.slice(0, 32)}._udp.local`, interval: 5000 })
  return (components: Parameters<typeof create>[0]): PeerDiscovery => {
    const service = create(components)
    // libp2p's own `peer:discovery` fires once per peer id, so a peer that moved would not be found again.
    service.addEventListener('peer', (event: CustomEvent<PeerInfo>) => {
      onFound(
        event.detail.id.toString(),
        event.detail.multiaddrs.map((address) => address.toString()),
      )
    })
    return service
  }
}

function hostsOf(addresses: string[]): string[] {
  const hosts = addresses.flatMap((address) => {
    const first = multiaddr(address).getComponents()[0]
    return first?.name === 'ip4' || first?.name === 'ip6' ? [`/${first.name}/${first.value}`] : []
  })
  return [...new Set(hosts)]
}
