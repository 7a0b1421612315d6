// The network as the node uses it: libp2p underneath, nothing of it on the surface. Built here from its parts: configuration (swarm),
// who may connect (gate), connections and hello (links), the table of peers, the dial loop, and the three ways to talk: frames on
// channels, requests, gossip.
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { createAddressBook } from './address-book.ts'
import { createChannels } from './channels.ts'
import { createDialer } from './dialer.ts'
import { createGate } from './gate.ts'
import { createGossip, topicNames } from './gossip.ts'
import { abortConnection, createLinks } from './links.ts'
import { createPeers, type Peer } from './peers.ts'
import {
  DEFAULT_LIMITS,
  type NetworkLimits,
  type PeerInfo,
  type RequestKind,
  reasonOf,
  TOPICS,
  type Transport,
  type TransportOptions,
} from './port.ts'
import { type Envelope, type IdentityRecord, peerIdIn, sealRecord } from './record.ts'
import { createRequests, type Requests } from './requests.ts'
import { createSwarm } from './swarm.ts'

export type * from './port.ts'
export { DEFAULT_LIMITS } from './port.ts'
export { RequestError, type RequestErrorCode } from './requests.ts'

/** An address could not be listened on as asked. */
export class ListenFailed extends Error {
  readonly code = 'LISTEN_FAILED'

  constructor(listen: string[], cause: Error) {
    const reason = /EADDRINUSE|EACCES|EADDRNOTAVAIL/.exec(cause.message)?.[0] ?? cause.message.split('\n', 1)[0]
    const mend = 'stop what uses the port, or set another p2p.listen in config.toml'
    super(`cannot listen on ${listen.join(', ')} for other nodes (${reason}): ${mend}`, { cause })
  }
}

const TICK_MS = 200
const WATCH_EVERY_MS = 1000
const SAVE_EVERY_MS = 5000
const SWEEP_EVERY_MS = 60_000
const BAN_MS = 10_000
/** Connections beyond the peers' own: second ones, and those still shaking hands. */
const CONNECTIONS_SPARE = 200

export async function createTransport(options: TransportOptions): Promise<Transport> {
  checkOptions(options)
  const { genesisHash, logger, isValidator } = options
  const limits: NetworkLimits = { ...DEFAULT_LIMITS, ...options.limits }
  const key = await generateKeyPairFromSeed('Ed25519', options.nodeKeySeed)
  const id = peerIdFromPrivateKey(key).toString()
  const ownKey = options.identity === undefined ? null : Buffer.from(options.identity.publicKey).toString('hex')
  const protocolOf = (name: string) => `/quorate/${genesisHash}/${name}/1`
  const book = createAddressBook({
    file: options.addressBookFile,
    genesisHash,
    verify: options.verify,
    isValidator,
    logger,
  })
  await book.load()

  const peers = createPeers({
    limits,
    isValidator,
    onReplaced: (peer, reason) => closePeer(peer.info.id, reason),
    onConnect: (peer) => guard('onConnect', () => transport.onConnect(peer.info)),
    onDisconnect(peer) {
      channels.forget(peer.info.id)
      gossip.forget(peer.info.id)
      guard('onDisconnect', () => transport.onDisconnect(peer.info))
    },
  })
  const gate = createGate({
    pendingMax: limits.pending,
    isValidatorPeer: book.isValidatorPeer,
    linksOf: (peerId) => links.all().filter((link) => link.peerId === peerId).length,
    pending: () => links.all().filter((link) => !link.ready).length,
  })
  const swarm = await createSwarm({
    genesisHash,
    nodeKeySeed: options.nodeKeySeed,
    listen: options.listen,
    announce: options.announce ?? [],
    trusted: [...options.bootstrap, ...book.validators().flatMap((record) => record.addresses)],
    connectionsMax: limits.peers + limits.pending + CONNECTIONS_SPARE,
    topics: topicNames(genesisHash),
    gater: gate.gater,
    scoreOf: (peerId) => (gate.isBanned(peerId) ? -10 : 0),
    onFound: options.mdns ? (peerId, addresses) => dialer.found(peerId, addresses) : undefined,
  })
  const links = createLinks({
    swarm,
    protocol: protocolOf('hello'),
    genesisHash,
    book,
    verify: options.verify,
    logger,
    ownEnvelope,
    admit(link, record) {
      if (gate.isBanned(link.peerId)) return 'it is banned'
      const refusal = peers.admit(link, record)
      if (refusal === undefined) book.meet(record.peerId, record.addresses)
      return refusal
    },
    onHeard(link, now) {
      const peer = peers.get(link.peerId)
      if (peer !== undefined) peer.info.lastHeardAt = now
    },
    onDown(link) {
      dialer.ended(link.peerId, Date.now() - link.openedAt)
      peers.remove(link)
    },
    onOffence,
    onLearned(record) {
      if (record.peerId === id && record.sequence >= book.sequence) book.sequence = record.sequence + 1
      links.exchange()
      dialer.tick(Date.now())
    },
  })
  const channels = createChannels({
    swarm,
    protocolOf,
    limits,
    links,
    peers,
    logger,
    onFrame: (peer, channel, frame) => transport.onFrame(peer.info, channel, frame),
    onOffence,
  })
  const requestsOf = (kind: RequestKind, protocol: string, requestLimits: NetworkLimits) =>
    createRequests({
      swarm,
      protocol: protocolOf(protocol),
      limits: requestLimits,
      links,
      peers,
      logger,
      onRequest: (peer, payload) => transport.onRequest(peer.info, payload, kind),
      onOffence,
    })
  const requests: Record<RequestKind, Requests> = {
    blocks: requestsOf('blocks', 'request', limits),
    snapshots: requestsOf('snapshots', 'snapshot', {
      ...limits,
      servingPerPeer: limits.snapshotServingPerPeer,
      servingTotal: limits.snapshotServingTotal,
      servingBytes: limits.snapshotServingBytes,
    }),
  }
  const gossip = createGossip({
    swarm,
    genesisHash,
    subscribe: options.subscribe ?? TOPICS,
    limits,
    peers,
    logger,
    onGossip: (peerId, topic, payload) => transport.onGossip(peerId, topic, payload),
    onOffence,
    onDead: (peer) => closePeer(peer.info.id, 'its gossip went dead'),
  })
  const dialer = createDialer({
    swarm,
    ownId: id,
    bootstrap: options.bootstrap,
    book,
    logger,
    isOwnValidator: () => ownKey !== null && isValidator(ownKey),
    isConnected: (peerId) => links.all().some((link) => link.peerId === peerId),
    isBanned: gate.isBanned,
    connectionCount: () => peers.all().length,
    hasRoom: () => peers.strangers() < limits.strangers,
    peerAt: (address) =>
      peers.all().find((peer) => peer.info.addresses.some((each) => each.startsWith(`${address}/p2p/`)))?.info.id,
  })

  function ownEnvelope(): Envelope {
    const record: IdentityRecord = {
      network: genesisHash,
      peerId: id,
      validator: ownKey,
      addresses: addresses(),
      sequence: book.sequence,
    }
    return sealRecord(record, options.identity?.sign)
  }

  const addresses = () => swarm.getMultiaddrs().map((address) => address.toString())

  function guard(handler: string, call: () => void): void {
    try {
      call()
    } catch (error) {
      logger.warn({ handler, reason: reasonOf(error) }, 'A handler of the network failed.')
    }
  }

  function onOffence(peerId: string, reason: string): void {
    transport.drop(peerId, reason)
  }

  function closePeer(peerId: string, reason: string): void {
    for (const link of links.all()) if (link.peerId === peerId) links.close(link, reason)
    // The table forgets a peer with its last link; this is for one whose links are gone already.
    peers.forget(peerId)
  }

  /**
   * libp2p keeps what it learned of every peer that ever connected. Addresses are dialled from the book, so nothing of it is needed; but
   * it must stay until the parts of libp2p have heard of the disconnection, hence a sweep and not a deletion at once.
   */
  async function forgetStrangersInLibp2p(): Promise<void> {
    for (const { id: peerId } of await swarm.peerStore.all()) {
      if (swarm.getConnections(peerId).length === 0) await swarm.peerStore.delete(peerId)
    }
  }

  let timer: NodeJS.Timeout | undefined
  const last = { watch: 0, save: 0, sweep: Date.now() }
  function isDue(what: keyof typeof last, now: number, everyMs: number): boolean {
    if (now - last[what] < everyMs) return false
    last[what] = now
    return true
  }

  function tick(): void {
    const now = Date.now()
    links.tick(now)
    channels.tick(now)
    dialer.tick(now)
    if (isDue('watch', now, WATCH_EVERY_MS)) gossip.tick(now)
    if (isDue('save', now, SAVE_EVERY_MS)) void book.save()
    if (isDue('sweep', now, SWEEP_EVERY_MS)) forgetStrangersInLibp2p().catch(() => {})
  }

  const transport: Transport = {
    id,
    async start() {
      await links.start()
      await channels.start()
      await requests.blocks.start()
      await requests.snapshots.start()
      try {
        await swarm.start()
      } catch (cause) {
        throw new ListenFailed(options.listen, cause as Error)
      }
      gossip.start()
      timer = setInterval(tick, TICK_MS)
      tick()
    },
    async stop() {
      clearInterval(timer)
      dialer.stop()
      requests.blocks.stop()
      requests.snapshots.stop()
      links.stop()
      channels.stop()
      for (const connection of swarm.getConnections()) abortConnection(connection, 'this node stops')
      await swarm.stop()
      await book.save()
    },
    addresses,
    peers: () => peers.all().map((peer) => snapshot(peer)),
    connectedValidators: () =>
      new Map(
        peers
          .all()
          .flatMap((peer) => (peers.isCurrentValidator(peer) ? [[peer.info.validator!, peer.info.id] as const] : [])),
      ),
    send(peerId, channel, frame) {
      const peer = peers.get(peerId)
      return peer !== undefined && channels.send(peer, channel, frame)
    },
    sendToValidator(publicKeyHex, channel, frame) {
      const peer = peers.withKey(publicKeyHex)
      return peer !== undefined && channels.send(peer, channel, frame)
    },
    broadcast(channel, frame, to) {
      for (const peer of peers.all())
        if (to === 'all' || peers.isCurrentValidator(peer)) channels.send(peer, channel, frame)
    },
    request: (peerId, payload, asked) => requests[asked.kind ?? 'blocks'].request(peerId, payload, asked),
    publish: gossip.publish,
    drop(peerId, reason, banMs = BAN_MS) {
      logger.warn({ peer: peerId, reason, banMs }, 'A peer is dropped.')
      gate.ban(peerId, banMs)
      closePeer(peerId, reason)
    },
    onFrame: () => {},
    onRequest: () => Promise.reject(new Error('no handler of requests is set')),
    onGossip: () => 'ignore',
    onConnect: () => {},
    onDisconnect: () => {},
  }

  function snapshot(peer: Peer): PeerInfo {
    return { ...peer.info, queuedBytes: channels.queuedBytes(peer.info.id) }
  }

  return transport
}

function checkOptions(options: TransportOptions): void {
  if (!/^[0-9a-f]{64}$/.test(options.genesisHash))
    throw new TypeError('genesisHash must be 64 lower-case hexadecimal digits.')
  if (options.nodeKeySeed.length !== 32)
    throw new TypeError(`nodeKeySeed must have 32 bytes, it has ${options.nodeKeySeed.length}.`)
  for (const address of [...options.listen, ...(options.announce ?? []), ...options.bootstrap]) {
    try {
      multiaddr(address)
      peerIdIn(address)
    } catch (error) {
      throw new TypeError(
        `${JSON.stringify(address)} is no multiaddr (like /ip4/10.0.0.1/tcp/4700): ${reasonOf(error)}.`,
      )
    }
  }
}
