// A program of its own: a peer of bare libp2p that says hello to one node and then floods it, as fast as the node takes it. Dropped, it
// comes back with another node key at once: those cost nothing, and bans go by them. Prints what it did as JSON.
import { randomBytes } from 'node:crypto'
import { identify } from '@libp2p/identify'
import type { Connection, Libp2p, Stream } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { signTransaction } from '../../src/client/transaction.ts'
import { createKeyPair } from '../../src/crypto/signer.ts'
import { encodeFrame, pacedWriter, writeHeader } from '../../src/network/framing.ts'
import { encodeHello, sealRecord } from '../../src/network/record.ts'
import { transactionsFrameCodec } from '../../src/types/fetch.ts'
import { fromHex, toHex } from '../../src/types/hex.ts'
import { messageCodec } from '../../src/types/message.ts'
import { encode } from '../../src/types/schema.ts'

export type Kind = 'status' | 'transactions' | 'body-requests' | 'garbage' | 'huge'

export interface FloodOrder {
  target: string
  genesisHash: string
  /** In hexadecimal: floods in the name of this validator; without it, as a stranger. */
  validatorSeed?: string
  kind: Kind
  forMs: number
}

export interface Flooded {
  connections: number
  /** Connections that the node refused or closed. */
  drops: number
  bytes: number
}

const REFUSED_PAUSE_MS = 250
/** A dropped connection may leave an opening stream without an answer. */
const STEP_MS = 2_000
/** Senders whose nonce leaves a gap: their transactions wait in the pool and never run. */
const TRANSACTIONS = 300
const NONCE = 500

async function main(order: FloodOrder): Promise<Flooded> {
  const flooded: Flooded = { connections: 0, drops: 0, bytes: 0 }
  const make = await maker(order)
  const end = Date.now() + order.forMs
  while (Date.now() < end) await visit(order, end, make(), flooded)
  return flooded
}

/** Gives, for each connection, what it sends piece by piece. */
async function maker({ kind, genesisHash }: FloodOrder): Promise<() => () => Uint8Array> {
  switch (kind) {
    case 'status':
      return statusFlood
    case 'transactions': {
      const frame = await transactionsFrame(genesisHash)
      return () => () => frame.slice()
    }
    case 'body-requests':
      return () => () =>
        frames(64, () => encode(messageCodec, { type: 'body-request', digest: toHex(randomBytes(32)) }))
    case 'garbage':
      return () => () => encodeFrame(randomBytes(4_096))
    case 'huge':
      return hugeFlood
  }
}

/** One connection with a node key of its own, until the other side closes it or the time is over. */
async function visit(order: FloodOrder, end: number, next: () => Uint8Array, flooded: Flooded): Promise<void> {
  const node = await createLibp2p({
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux({ streamOptions: { maxStreamWindowSize: 1 << 20 } })],
    connectionMonitor: { enabled: false },
    services: { identify: identify() },
  })
  let heartbeat: NodeJS.Timeout | undefined
  try {
    const protocolOf = (name: string) => `/quorate/${order.genesisHash}/${name}/1`
    for (const name of ['consensus', 'proposals', 'transactions', 'request'])
      await node.handle(protocolOf(name), (stream) => stream.addEventListener('message', () => {}))
    const connection = await node.dial(multiaddr(order.target), { signal: AbortSignal.timeout(STEP_MS) })
    flooded.connections++
    heartbeat = await sayHello(order, node, connection)
    const channel = order.kind === 'transactions' ? 'transactions' : 'consensus'
    flood(await connection.newStream(protocolOf(channel), { signal: AbortSignal.timeout(STEP_MS) }), next, end, flooded)
    while (Date.now() < end && connection.status === 'open') await sleep(20)
    if (connection.status !== 'open') flooded.drops++
  } catch {
    // Refused, or dropped half-way.
    flooded.drops++
    await sleep(REFUSED_PAUSE_MS)
  } finally {
    clearInterval(heartbeat)
    await Promise.race([node.stop(), sleep(STEP_MS)])
  }
}

async function sayHello(order: FloodOrder, node: Libp2p, connection: Connection): Promise<NodeJS.Timeout> {
  const key = order.validatorSeed === undefined ? undefined : createKeyPair(fromHex(order.validatorSeed))
  const record = {
    network: order.genesisHash,
    peerId: node.peerId.toString(),
    validator: key === undefined ? null : toHex(key.publicKey),
    addresses: [],
    sequence: Date.now(),
  }
  const signal = AbortSignal.timeout(STEP_MS)
  const stream = await connection.newStream(`/quorate/${order.genesisHash}/hello/1`, { signal })
  stream.addEventListener('message', () => {})
  stream.send(encodeFrame(encodeHello([sealRecord(record, key?.sign)])))
  return setInterval(() => {
    if (stream.status === 'open') stream.send(encodeFrame(encodeHello([])))
  }, 1_000)
}

function flood(stream: Stream, next: () => Uint8Array, end: number, flooded: Flooded): void {
  stream.addEventListener('message', () => {})
  const writer = pacedWriter(stream, () => {
    if (Date.now() >= end) return undefined
    const bytes = next()
    flooded.bytes += bytes.length
    return bytes
  })
  writer.wake()
}

/** Of a validator that stands still in view 0, and of one that claims heights nobody has: one asks for votes, the other to be fetched from. */
function statusFlood(): () => Uint8Array {
  const status = { type: 'status' as const, epoch: 0, view: 0, active: true, lastExec: 0 }
  const both = [0, 1e9].map((h) => encode(messageCodec, { ...status, h, lastExec: h }))
  const piece = frames(64, (index) => both[index % 2]!)
  return () => piece.slice()
}

async function transactionsFrame(network: string): Promise<Uint8Array> {
  const wires: Uint8Array[] = []
  for (let index = 0; index < TRANSACTIONS; index++) {
    const key = createKeyPair(new Uint8Array(randomBytes(32)))
    const call = { network, nonce: NONCE, expires: 0, gasLimit: 2_000_000, contract: 'token', method: 'transfer' }
    wires.push((await signTransaction(key, { ...call, args: '{}' })).wire)
  }
  return encodeFrame(encode(transactionsFrameCodec, wires))
}

/** A length of 2 GiB and the first bytes of it; were it believed, more would follow. */
function hugeFlood(): () => Uint8Array {
  let isFirst = true
  return () => {
    const bytes = new Uint8Array(1 << 20)
    if (isFirst) writeHeader(bytes, 0, 0x7fffffff)
    isFirst = !isFirst
    return bytes
  }
}

function frames(count: number, make: (index: number) => Uint8Array): Uint8Array {
  return Buffer.concat(Array.from({ length: count }, (_, index) => encodeFrame(make(index))))
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

if (process.argv[1] === import.meta.filename) {
  // The timers of signals keep no process alive.
  setInterval(() => {}, STEP_MS)
  const flooded = await main(JSON.parse(process.argv[2]!) as FloodOrder)
  process.stdout.write(`${JSON.stringify(flooded)}\n`)
  process.exit()
}
