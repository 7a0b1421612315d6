// Connections from their opening to their end. The dialling side opens one hello stream on each; over it both sides send their signed
// record, then, for as long as the connection lives, a sign of life each second with whatever validators' records are news (the peer
// exchange that lets a node which knows one node find all).
import type { Connection, Stream } from '@libp2p/interface'
import type { AddressBook } from './address-book.ts'
import { createBucket } from './bucket.ts'
import { frameReader, type PacedWriter, pacedWriter } from './framing.ts'
import { createOutbox, type Outbox } from './outbox.ts'
import type { Link } from './peers.ts'
import { type NetworkLogger, reasonOf } from './port.ts'
import {
  decodeHello,
  ENVELOPES_MAX,
  type Envelope,
  encodeHello,
  HELLO_BYTES_MAX,
  type IdentityRecord,
  isRecordSigned,
  readRecord,
  type Verify,
} from './record.ts'
import type { Swarm } from './swarm.ts'

const HELLO_TIMEOUT_MS = 5000
const SILENCE_MAX_MS = 4000
const HEARTBEAT_MS = 1000
/** Every record is offered again this often: a peer takes one only once the key is in its own validator set. */
const EXCHANGE_AGAIN_MS = 30_000
/** A gap between ticks this long means that this process slept; silence is then nobody's fault. */
const SLEPT_MS = 1500
/** News that follows other news waits this long, in the order of ticks. */
const EXCHANGE_EVERY_MS = 150
const MESSAGES_PER_SECOND = 10
const MESSAGES_BURST = 100

export interface LinksOptions {
  swarm: Swarm
  protocol: string
  genesisHash: string
  book: AddressBook
  verify: Verify
  logger: NetworkLogger
  /** This node's own record as it is now. */
  ownEnvelope(): Envelope
  /** Takes a peer whose hello was checked, or says why not. */
  admit(link: Link, record: IdentityRecord): string | undefined
  onHeard(link: Link, now: number): void
  onDown(link: Link): void
  /** Bytes that no honest node sends. */
  onOffence(peerId: string, reason: string): void
  /** A validator's record that was not known before. */
  onLearned(record: IdentityRecord): void
}

interface HelloLink extends Link {
  stream?: Stream
  outbox: Outbox
  writer?: PacedWriter
  exchangedVersion: number
  exchangedAt: number
  mayHear: (cost: number, now: number) => boolean
}

export interface Links {
  start(): Promise<void>
  stop(): void
  tick(now: number): void
  /** The link of a connection that lives. */
  of(connection: Connection): Link | undefined
  all(): Link[]
  heard(link: Link): void
  close(link: Link, reason: string): void
  /** Sends what is news at once. */
  exchange(): void
}

export function createLinks(options: LinksOptions): Links {
  const { swarm, protocol, book, logger } = options
  const links = new Map<string, HelloLink>()
  let tickedAt = 0
  let beatAt = 0
  let exchangedAt = 0
  let hasNews = false

  function ensure(connection: Connection): HelloLink {
    const existing = links.get(connection.id)
    if (existing !== undefined) return existing
    const now = Date.now()
    const link: HelloLink = {
      connection,
      peerId: connection.remotePeer.toString(),
      openedAt: now,
      lastHeardAt: now,
      ready: false,
      isDown: false,
      waiting: [],
      outbox: createOutbox(2 * HELLO_BYTES_MAX, 'refuse'),
      exchangedVersion: 0,
      exchangedAt: now,
      mayHear: createBucket(MESSAGES_PER_SECOND, MESSAGES_BURST),
    }
    links.set(connection.id, link)
    if (connection.direction === 'outbound') void sayHello(link)
    return link
  }

  async function sayHello(link: HelloLink): Promise<void> {
    try {
      attach(link, await link.connection.newStream(protocol, { signal: AbortSignal.timeout(HELLO_TIMEOUT_MS) }))
    } catch (error) {
      close(link, `it does not take part in this network: ${reasonOf(error)}`)
    }
  }

  function attach(link: HelloLink, stream: Stream): void {
    if (link.stream !== undefined || link.isDown) {
      stream.abort(new Error('a connection has one hello stream'))
      return
    }
    link.stream = stream
    const read = frameReader(HELLO_BYTES_MAX)
    stream.addEventListener('message', (event) => {
      heard(link)
      try {
        for (const message of read(event.data)) {
          if (link.isDown) return
          onMessage(link, message)
        }
      } catch (error) {
        options.onOffence(link.peerId, `hello: ${reasonOf(error)}`)
        close(link, 'malformed hello')
      }
    })
    // Later, because it may be libp2p that is closing the connection right now, and it must not be aborted half-way.
    const onEnd = () => queueMicrotask(() => close(link, 'the hello stream closed'))
    stream.addEventListener('close', onEnd)
    stream.addEventListener('remoteCloseWrite', onEnd)
    link.writer = pacedWriter(stream, link.outbox.take)
    sendNews(link, [options.ownEnvelope()])
  }

  function sendNews(link: HelloLink, first: Envelope[] = []): void {
    const { envelopes, version } = book.since(link.exchangedVersion, ENVELOPES_MAX - 1)
    if (!link.outbox.push(encodeHello([...first, ...envelopes]))) return
    link.exchangedVersion = version
    link.writer?.wake()
  }

  function onMessage(link: HelloLink, message: Uint8Array): void {
    if (!link.mayHear(1, Date.now())) throw new Error('more messages than a peer may send')
    const envelopes = decodeHello(message)
    if (!link.ready) {
      const own = envelopes.shift()
      if (own === undefined) throw new Error('the first message must begin with the record of its sender')
      greet(link, own)
      if (link.isDown) return
    }
    for (const envelope of envelopes) {
      const learned = book.learn(envelope)
      if (learned.outcome === 'forged') throw new Error(learned.reason)
      if (learned.outcome === 'new') options.onLearned(learned.record!)
    }
  }

  function greet(link: HelloLink, envelope: Envelope): void {
    const record = readRecord(envelope, options.genesisHash)
    if (typeof record === 'string') throw new Error(record)
    if (record.peerId !== link.peerId) throw new Error('the record names another peer id than the connection')
    if (record.validator !== null && !isRecordSigned(envelope, record, options.verify))
      throw new Error('the signature is wrong')
    const refusal = options.admit(link, record)
    if (refusal !== undefined) {
      close(link, refusal)
      return
    }
    book.put(record, envelope)
    for (const resume of link.waiting.splice(0)) resume()
    if (record.validator !== null) exchange()
  }

  function heard(link: Link): void {
    const now = Date.now()
    link.lastHeardAt = now
    options.onHeard(link, now)
  }

  function close(link: Link, reason: string): void {
    if (link.isDown) return
    logger.debug({ peer: link.peerId, reason }, 'A connection is closed.')
    // First down, then closed: the streams' `close` events come back here.
    down(link)
    abortConnection(link.connection, reason)
  }

  function down(link: Link): void {
    if (link.isDown) return
    link.isDown = true
    link.waiting = []
    links.delete(link.connection.id)
    options.onDown(link)
  }

  function tick(now: number): void {
    if (now - tickedAt > SLEPT_MS) for (const link of links.values()) link.lastHeardAt = now
    tickedAt = now
    if (hasNews) exchange(now)
    const isBeat = now - beatAt >= HEARTBEAT_MS
    if (isBeat) beatAt = now
    for (const link of links.values()) {
      if (!link.ready && now - link.openedAt > HELLO_TIMEOUT_MS) close(link, 'it did not say hello in time')
      else if (link.ready && now - link.lastHeardAt > SILENCE_MAX_MS) close(link, 'nothing was heard of it')
      else if (isBeat && link.ready) beat(link, now)
    }
  }

  function beat(link: HelloLink, now: number): void {
    if (now - link.exchangedAt > EXCHANGE_AGAIN_MS) {
      link.exchangedAt = now
      link.exchangedVersion = 0
    }
    // While the last message waits, the line is busy: what makes it busy is the sign of life.
    if (link.outbox.bytes === 0) sendNews(link)
    else link.writer?.wake()
  }

  /** At once, but not more often than `EXCHANGE_EVERY_MS`: when many validators start together, their records go out together. */
  function exchange(now = Date.now()): void {
    hasNews = now - exchangedAt < EXCHANGE_EVERY_MS
    if (hasNews) return
    exchangedAt = now
    for (const link of links.values()) {
      if (link.ready && book.since(link.exchangedVersion, 1).envelopes.length > 0) sendNews(link)
    }
  }

  const onOpen = (event: CustomEvent<Connection>) => void ensure(event.detail)
  const onClose = (event: CustomEvent<Connection>) => {
    const link = links.get(event.detail.id)
    if (link !== undefined) down(link)
  }

  return {
    async start() {
      swarm.addEventListener('connection:open', onOpen)
      swarm.addEventListener('connection:close', onClose)
      const onStream = (stream: Stream, connection: Connection) => attach(ensure(connection), stream)
      await swarm.handle(protocol, onStream, { maxInboundStreams: 2, maxOutboundStreams: 2 })
    },
    stop() {
      swarm.removeEventListener('connection:open', onOpen)
      swarm.removeEventListener('connection:close', onClose)
      for (const link of links.values()) down(link)
    },
    tick,
    of: (connection) => links.get(connection.id),
    all: () => [...links.values()],
    heard,
    close,
    exchange: () => exchange(),
  }
}

/** Aborting throws when the connection closes meanwhile; inside an event listener that would end the process. */
export function abortConnection(connection: Connection, reason: string): void {
  try {
    if (connection.status === 'open') connection.abort(new Error(reason))
  } catch {
    // It is closed, which is what was wanted.
  }
}
