// Frames between peers: for each peer and channel one outbound stream, opened when first needed and opened again when it breaks.
import type { Connection, Stream } from '@libp2p/interface'
import { frameReader, type PacedWriter, pacedWriter } from './framing.ts'
import type { Links } from './links.ts'
import { createOutbox, type Outbox } from './outbox.ts'
import type { Link, Peer, Peers } from './peers.ts'
import { CHANNELS, type Channel, type NetworkLimits, type NetworkLogger, reasonOf } from './port.ts'
import type { Swarm } from './swarm.ts'

const OPEN_TIMEOUT_MS = 5000
const REOPEN_AFTER_MS = 250

export interface ChannelsOptions {
  swarm: Swarm
  protocolOf(channel: Channel): string
  limits: NetworkLimits
  links: Links
  peers: Peers
  logger: NetworkLogger
  /** A throw, or a promise that rejects, counts as an offence of the peer. */
  onFrame(peer: Peer, channel: Channel, frame: Uint8Array): unknown
  onOffence(peerId: string, reason: string): void
}

interface Sender {
  outbox: Outbox
  writer?: PacedWriter
  stream?: Stream
  isOpening: boolean
  openAgainAt: number
}

export interface Channels {
  start(): Promise<void>
  stop(): void
  tick(now: number): void
  send(peer: Peer, channel: Channel, frame: Uint8Array): boolean
  queuedBytes(peerId: string): number
  forget(peerId: string): void
}

export function createChannels(options: ChannelsOptions): Channels {
  const { limits, links, peers } = options
  const senders = new Map<string, Map<Channel, Sender>>()
  const inbound = new Map<string, Stream>()

  function senderOf(peerId: string, channel: Channel): Sender {
    let ofPeer = senders.get(peerId)
    if (ofPeer === undefined) {
      ofPeer = new Map()
      senders.set(peerId, ofPeer)
    }
    let sender = ofPeer.get(channel)
    if (sender === undefined) {
      const outbox = createOutbox(limits.queueBytes, channel === 'consensus' ? 'drop-oldest' : 'refuse')
      sender = { outbox, isOpening: false, openAgainAt: 0 }
      ofPeer.set(channel, sender)
    }
    return sender
  }

  function send(peer: Peer, channel: Channel, frame: Uint8Array): boolean {
    if (frame.length > limits.frameBytes[channel]) {
      const bytes = { bytes: frame.length, most: limits.frameBytes[channel] }
      options.logger.warn({ peer: peer.info.id, channel, ...bytes }, 'A frame is too large to be sent.')
      return false
    }
    const sender = senderOf(peer.info.id, channel)
    const isQueued = sender.outbox.push(frame)
    if (sender.writer !== undefined) sender.writer.wake()
    else void open(peer, channel, sender)
    return isQueued
  }

  async function open(peer: Peer, channel: Channel, sender: Sender): Promise<void> {
    if (sender.isOpening || sender.stream !== undefined || Date.now() < sender.openAgainAt) return
    // The newest connection: of two, an older one is likelier to be on its way out.
    const link = [...peer.links].findLast((candidate) => !candidate.isDown)
    if (link === undefined) return
    sender.isOpening = true
    try {
      const signal = AbortSignal.timeout(OPEN_TIMEOUT_MS)
      const stream = await link.connection.newStream(options.protocolOf(channel), { signal })
      if (peers.get(peer.info.id) === peer) attach(peer, channel, sender, stream)
      else stream.abort(new Error('the peer is gone'))
    } catch (error) {
      options.logger.debug({ peer: peer.info.id, channel, reason: reasonOf(error) }, 'A stream could not be opened.')
    } finally {
      sender.isOpening = false
      sender.openAgainAt = Date.now() + REOPEN_AFTER_MS
    }
  }

  function attach(peer: Peer, channel: Channel, sender: Sender, stream: Stream): void {
    sender.stream = stream
    sender.writer = pacedWriter(stream, () => (sender.stream === stream ? sender.outbox.take() : undefined))
    // Nothing comes back on these streams; without a listener what did would pile up.
    stream.addEventListener('message', () => options.onOffence(peer.info.id, `${channel}: bytes on a stream of ours`))
    stream.addEventListener('close', () => {
      if (sender.stream !== stream) return
      sender.stream = undefined
      sender.writer = undefined
      sender.outbox.rewind()
    })
    if (stream.status === 'open') sender.writer.wake()
    else sender.stream = sender.writer = undefined
  }

  function accept(channel: Channel, stream: Stream, connection: Connection): void {
    const link = links.of(connection)
    if (link === undefined) {
      stream.abort(new Error('the connection is closed'))
      return
    }
    if (link.ready) {
      listen(channel, stream, link)
      return
    }
    // Streams open in any order: what arrives before the hello waits in the stream, within its window.
    stream.pause()
    link.waiting.push(() => {
      listen(channel, stream, link)
      if (stream.status === 'open') stream.resume()
    })
  }

  function listen(channel: Channel, stream: Stream, link: Link): void {
    const slot = `${channel} ${link.peerId}`
    inbound.get(slot)?.abort(new Error('a newer stream takes its place'))
    inbound.set(slot, stream)
    const read = frameReader(limits.frameBytes[channel])
    stream.addEventListener('message', (event) => {
      links.heard(link)
      try {
        for (const frame of read(event.data)) if (!deliver(channel, link, frame)) return
      } catch (error) {
        options.onOffence(link.peerId, `${channel}: ${reasonOf(error)}`)
      }
    })
    stream.addEventListener('remoteCloseWrite', () => {
      stream.close().catch((error: Error) => stream.abort(error))
    })
    stream.addEventListener('close', () => {
      if (inbound.get(slot) === stream) inbound.delete(slot)
    })
  }

  /** False when the rest is not wanted. A throw in a `message` listener would end the process, so the caller catches all. */
  function deliver(channel: Channel, link: Link, frame: Uint8Array): boolean {
    const peer = peers.get(link.peerId)
    if (peer === undefined || link.isDown) return false
    const result = options.onFrame(peer, channel, frame)
    if (result instanceof Promise) {
      result.catch((error) => options.onOffence(link.peerId, `${channel}: ${reasonOf(error)}`))
    }
    return true
  }

  function forget(peerId: string): void {
    for (const sender of senders.get(peerId)?.values() ?? []) {
      const stream = sender.stream
      sender.stream = sender.writer = undefined
      stream?.abort(new Error('the peer is gone'))
    }
    senders.delete(peerId)
    for (const channel of CHANNELS) inbound.delete(`${channel} ${peerId}`)
  }

  function tick(now: number): void {
    for (const [peerId, ofPeer] of senders) {
      for (const [channel, sender] of ofPeer) {
        if (sender.outbox.bytes === 0) continue
        if (sender.writer !== undefined) sender.writer.wake()
        else if (now >= sender.openAgainAt) {
          const peer = peers.get(peerId)
          if (peer !== undefined) void open(peer, channel, sender)
        }
      }
    }
  }

  return {
    async start() {
      for (const channel of CHANNELS) {
        const onStream = (stream: Stream, connection: Connection) => accept(channel, stream, connection)
        // Above the inbound limit libp2p lets the other side open and then resets, so old streams need room to go.
        await options.swarm.handle(options.protocolOf(channel), onStream, {
          maxInboundStreams: 4,
          maxOutboundStreams: 4,
        })
      }
    },
    stop() {
      for (const peerId of [...senders.keys()]) forget(peerId)
      inbound.clear()
    },
    tick,
    send,
    queuedBytes(peerId) {
      let bytes = 0
      for (const { outbox, stream } of senders.get(peerId)?.values() ?? [])
        bytes += outbox.bytes + (stream?.writeBufferLength ?? 0)
      return bytes
    },
    forget,
  }
}
