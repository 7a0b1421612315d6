// A peer made of bare libp2p, without our transport, that says hello and then does as a test pleases.
import { gossipsub } from '@libp2p/gossipsub'
import { identify } from '@libp2p/identify'
import type { Connection, Libp2p, Stream } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { encodeFrame } from '../../src/network/framing.ts'
import { type Envelope, encodeHello, sealRecord } from '../../src/network/record.ts'
import type { Transport } from '../../src/network/transport.ts'
import { GENESIS, type Identity } from './support.ts'

export interface RawPeer {
  id: string
  node: Libp2p
  connection: Connection
  /** Streams that the other side opened, by channel. */
  inbound: Map<string, Stream>
  open(name: string): Promise<Stream>
  /** For a silent one: says an honest hello after all. */
  sayHello(): Promise<void>
  isOpen(): boolean
}

export interface RawOptions {
  /** What is said first; by default an honest record. */
  hello?(peerId: string): Envelope[]
  identity?: Identity
  /** Opens no hello stream. */
  isSilent?: boolean
  hasGossip?: boolean
  onStream?(name: string, stream: Stream): void
}

const running = new Set<() => Promise<void>>()

export const protocolOf = (name: string): string => `/quorate/${GENESIS}/${name}/1`

export async function connectRaw(target: Transport, options: RawOptions = {}): Promise<RawPeer> {
  const node = await createLibp2p({
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux({ streamOptions: { maxStreamWindowSize: 1 << 20 } })],
    services: { identify: identify(), ...(options.hasGossip === false ? {} : { pubsub: gossipsub() }) },
  })
  const inbound = new Map<string, Stream>()
  for (const name of ['consensus', 'proposals', 'transactions', 'request']) {
    await node.handle(protocolOf(name), (stream) => {
      inbound.set(name, stream)
      if (options.onStream === undefined) stream.addEventListener('message', () => {})
      else options.onStream(name, stream)
    })
  }
  const id = node.peerId.toString()
  const connection = await node.dial(multiaddr(target.addresses()[0]!))
  let heartbeat: NodeJS.Timeout | undefined
  const stop = async () => {
    clearInterval(heartbeat)
    await node.stop()
  }
  running.add(stop)
  if (!options.isSilent) heartbeat = await sayHello(connection, options.hello?.(id) ?? [recordOf(id, options.identity)])
  return {
    id,
    node,
    connection,
    inbound,
    open: (name) => connection.newStream(protocolOf(name)),
    async sayHello() {
      heartbeat = await sayHello(connection, [recordOf(id, options.identity)])
    },
    isOpen: () => connection.status === 'open',
  }
}

async function sayHello(connection: Connection, first: Envelope[]): Promise<NodeJS.Timeout> {
  const stream = await connection.newStream(protocolOf('hello'))
  stream.addEventListener('message', () => {})
  const say = (envelopes: Envelope[]) => {
    if (stream.status === 'open') stream.send(encodeFrame(encodeHello(envelopes)))
  }
  say(first)
  return setInterval(() => say([]), 1000)
}

export function recordOf(
  peerId: string,
  identity?: Identity,
  change: { network?: string; sequence?: number } = {},
): Envelope {
  const { network = GENESIS, sequence = Date.now() } = change
  return sealRecord({ network, peerId, validator: identity?.hex ?? null, addresses: [], sequence }, identity?.sign)
}

export async function stopRaw(): Promise<void> {
  const stops = [...running]
  running.clear()
  await Promise.all(stops.map((stop) => stop()))
}
