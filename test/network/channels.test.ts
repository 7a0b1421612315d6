import { randomBytes } from 'node:crypto'
import { afterEach, describe, expect, it } from 'vitest'
import { encodeFrame } from '../../src/network/framing.ts'
import { CHANNELS, type Channel } from '../../src/network/port.ts'
import type { Transport } from '../../src/network/transport.ts'
import { connectRaw, recordOf, stopRaw } from './raw.ts'
import { identityOf, isConnected, sleep, startNetwork, startNode, stopAll, until } from './support.ts'

const MIB = 1024 * 1024

afterEach(async () => {
  await stopRaw()
  await stopAll()
})

function collect(node: Transport): Map<Channel, Buffer[]> {
  const frames = new Map<Channel, Buffer[]>(CHANNELS.map((channel) => [channel, []]))
  node.onFrame = (_, channel, frame) => frames.get(channel)!.push(Buffer.from(frame))
  return frames
}

describe('frames', () => {
  it('of the largest size pass', async () => {
    const [first, second] = await startNetwork(['a', 'b'])
    const received = collect(second!)
    const frame = randomBytes(8 * MIB)
    expect(first!.send(second!.id, 'proposals', frame)).toBe(true)
    await until('it arrives', () => received.get('proposals')!.length === 1)
    expect(received.get('proposals')![0]!.equals(frame)).toBe(true)
  })

  it('arrive whole and in order on every channel, small and large mixed', async () => {
    const [first, second] = await startNetwork(['a', 'b'])
    const received = collect(second!)
    const sizes = [1, 200, 65_531, 65_532, 65_533, 65_536, 300_000, MIB, 5, MIB - 1, 17]
    const sent = new Map(CHANNELS.map((channel) => [channel, sizes.map((size) => randomBytes(size))]))
    for (let index = 0; index < sizes.length; index++) {
      for (const channel of CHANNELS) expect(first!.send(second!.id, channel, sent.get(channel)![index]!)).toBe(true)
    }
    await until('all arrive', () => CHANNELS.every((channel) => received.get(channel)!.length === sizes.length))
    for (const channel of CHANNELS) {
      for (const [index, frame] of received.get(channel)!.entries())
        expect(frame.equals(sent.get(channel)![index]!)).toBe(true)
    }
    expect(first!.peers()[0]!.queuedBytes).toBe(0)
  })

  it('reach every validator by broadcast, and strangers only when all are meant', async () => {
    const nodes = await startNetwork(['a', 'b', 'c'])
    const stranger = await startNode({ name: 's', validators: ['a', 'b', 'c'], bootstrap: nodes[0]!.addresses() })
    await until('the stranger is connected', () => isConnected(nodes[0]!, stranger) && isConnected(stranger, nodes[0]!))
    const received = [nodes[1]!, nodes[2]!, stranger].map(collect)
    nodes[0]!.broadcast('consensus', Uint8Array.of(1), 'validators')
    nodes[0]!.broadcast('consensus', Uint8Array.of(2), 'all')
    await until('all arrive', () => received.every((frames) => frames.get('consensus')!.at(-1)?.[0] === 2))
    expect(received.map((frames) => frames.get('consensus')!.map((frame) => frame[0]))).toEqual([[1, 2], [1, 2], [2]])
  })

  it('are refused when empty, too large, or for a peer that is not there', async () => {
    const [first, second] = await startNetwork(['a', 'b'])
    expect(first!.send(second!.id, 'consensus', new Uint8Array(MIB + 1))).toBe(false)
    expect(first!.send(second!.id, 'consensus', new Uint8Array(0))).toBe(false)
    expect(first!.send('12D3KooWnobody', 'consensus', new Uint8Array(1))).toBe(false)
    expect(first!.sendToValidator(identityOf('z').hex, 'consensus', new Uint8Array(1))).toBe(false)
  })

  it('that make the handler throw cost the sender its connection, not the process', async () => {
    const [first, second, third] = await startNetwork(['a', 'b', 'c'])
    const gone: string[] = []
    first!.onDisconnect = (peer) => gone.push(peer.id)
    first!.onFrame = (_, channel) => {
      if (channel === 'consensus') throw new Error('a fault in the handler')
      return Promise.reject(new Error('a late fault in the handler'))
    }
    second!.send(first!.id, 'consensus', Uint8Array.of(1))
    await until('the thrower is gone', () => gone.includes(second!.id))
    expect(isConnected(first!, third!)).toBe(true)
    third!.send(first!.id, 'transactions', Uint8Array.of(1))
    await until('the late one is gone', () => gone.includes(third!.id))
  })
})

describe('a reader that takes nothing', () => {
  it('leaves a bounded queue and no delay on other channels', async () => {
    const node = await startNode({ name: 'a', validators: ['a'] })
    let consensus = 0
    const raw = await connectRaw(node, {
      onStream(name, stream) {
        if (name === 'proposals') stream.pause()
        else stream.addEventListener('message', (event) => (consensus += event.data.byteLength))
      },
    })
    await until('the raw peer is known', () => node.peers().length === 1)
    let accepted = 0
    const frame = randomBytes(MIB)
    for (let round = 0; round < 100; round++) {
      if (node.send(raw.id, 'proposals', frame)) accepted++
      if (round % 5 === 0) await sleep(5)
    }
    expect(accepted).toBeGreaterThanOrEqual(7)
    expect(accepted).toBeLessThanOrEqual(12)
    expect(node.peers()[0]!.queuedBytes).toBeLessThanOrEqual(9 * MIB)
    expect(node.send(raw.id, 'consensus', new Uint8Array(1000))).toBe(true)
    await until('the other channel is free', () => consensus === 1004)
  })

  it('gets the newest consensus frames when it reads again', async () => {
    const node = await startNode({ name: 'a', validators: ['a'], limits: { queueBytes: 100_000 } })
    const numbers: number[] = []
    let pending = Buffer.alloc(0)
    const raw = await connectRaw(node, {
      onStream(_, stream) {
        stream.pause()
        stream.addEventListener('message', (event) => {
          pending = Buffer.concat([pending, event.data.subarray()])
          for (; pending.length >= 10_004; pending = pending.subarray(10_004)) numbers.push(pending.readUInt32BE(4))
        })
      },
    })
    await until('the raw peer is known', () => node.peers().length === 1)
    for (let number = 0; number < 500; number++) {
      const frame = Buffer.alloc(10_000)
      frame.writeUInt32BE(number)
      expect(node.send(raw.id, 'consensus', frame)).toBe(true)
      if (number % 20 === 0) await sleep(5)
    }
    await until('the stream is open', () => raw.inbound.has('consensus'))
    raw.inbound.get('consensus')!.resume()
    await until('the last one arrives', () => numbers.at(-1) === 499)
    expect(numbers.length).toBeLessThan(400)
    expect(numbers).toEqual([...numbers].sort((a, b) => a - b))
    expect(numbers.slice(-9)).toEqual([491, 492, 493, 494, 495, 496, 497, 498, 499])
  })
})

it('a stream that breaks is opened again, and what waited is sent', async () => {
  const node = await startNode({ name: 'a' })
  let streams = 0
  let bytes = 0
  const raw = await connectRaw(node, {
    onStream(_, stream) {
      const isFirst = ++streams === 1
      stream.addEventListener('message', (event) => {
        if (isFirst) stream.abort(new Error('a fault'))
        else bytes += event.data.byteLength
      })
    },
  })
  await until('the raw peer is known', () => node.peers().length === 1)
  node.send(raw.id, 'proposals', new Uint8Array(4 * MIB))
  await until('the large frame arrives whole on the second stream', () => bytes === 4 * MIB + 4)
  expect(streams).toBe(2)
  expect(raw.isOpen()).toBe(true)
})

describe('a peer that breaks the rules', () => {
  const offences: [string, string, Uint8Array][] = [
    ['a frame above the limit', 'consensus', Uint8Array.of(0, 0x10, 0, 1, 1, 2, 3)],
    ['garbage', 'transactions', new Uint8Array(64).fill(0xff)],
    ['an empty frame', 'proposals', new Uint8Array(4)],
    ['garbage on the hello stream', 'hello', new Uint8Array(64).fill(0xff)],
    ['a request above the limit', 'request', Uint8Array.of(0xff, 0, 0, 0, 1)],
  ]
  it.each(offences)('is dropped alone: %s', async (_, name, bytes) => {
    const [first, second] = await startNetwork(['a', 'b'])
    const received = collect(first!)
    const raw = await connectRaw(first!)
    await until('the raw peer is known', () => first!.peers().length === 2)
    const stream =
      name === 'hello' ? raw.connection.streams.find((each) => each.protocol.includes('hello'))! : await raw.open(name)
    stream.send(bytes)
    await until('the raw peer is dropped', () => !raw.isOpen() && first!.peers().length === 1, 2000)
    second!.send(first!.id, 'consensus', Uint8Array.of(9))
    await until('the honest peer is heard', () => received.get('consensus')!.length === 1)
  })

  it('may not come back at once', async () => {
    const node = await startNode({ name: 'a' })
    const raw = await connectRaw(node)
    await until('the raw peer is known', () => node.peers().length === 1)
    node.drop(raw.id, 'a test', 60_000)
    await until('it is dropped', () => !raw.isOpen(), 2000)
    const refused = raw.node.dial(raw.connection.remoteAddr).then(async (connection) => {
      await until('the connection is closed', () => connection.status !== 'open', 1000)
      throw new Error('closed')
    })
    await expect(refused).rejects.toThrow()
    expect(node.peers()).toEqual([])
  })

  it('that forges its hello is dropped before it is known', async () => {
    const node = await startNode({ name: 'a', validators: ['a', 'b'] })
    const known: string[] = []
    node.onConnect = (peer) => known.push(peer.id)
    const b = identityOf('b')
    const thief = { ...identityOf('thief'), publicKey: b.publicKey, hex: b.hex }
    const forgeries: ((peerId: string) => ReturnType<typeof recordOf>[])[] = [
      (peerId) => [recordOf(peerId, thief)],
      () => [recordOf('12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp', b)],
      (peerId) => [recordOf(peerId, b, { network: 'cd'.repeat(32) })],
      (peerId) => [{ ...recordOf(peerId, b), signature: null }],
      () => [],
    ]
    for (const hello of forgeries) {
      const raw = await connectRaw(node, { hello })
      await until('it is dropped', () => !raw.isOpen(), 2000)
    }
    expect(known).toEqual([])
    const honest = await connectRaw(node, { identity: b })
    await until('the honest one is known', () => node.connectedValidators().get(b.hex) === honest.id)
  })

  it('that passes on a forged record of another validator is dropped', async () => {
    const node = await startNode({ name: 'a', validators: ['a', 'b'] })
    const b = identityOf('b')
    const forged = recordOf('12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp', {
      ...identityOf('thief'),
      publicKey: b.publicKey,
      hex: b.hex,
    })
    const raw = await connectRaw(node, { hello: (peerId) => [recordOf(peerId), forged] })
    await until('it is dropped', () => !raw.isOpen() && node.peers().length === 0, 2000)
  })

  it('that never says hello, or falls silent, is closed', async () => {
    const node = await startNode({ name: 'a' })
    const [mute, nameless] = await Promise.all([connectRaw(node), connectRaw(node, { isSilent: true })])
    await until('the raw peer is known', () => node.peers().length === 1)
    // Its hello stream lives on, but nothing more is sent.
    const stream = mute.connection.streams.find((each) => each.protocol.includes('hello'))!
    stream.send = () => true
    await until('the silence is noticed', () => !mute.isOpen() && !nameless.isOpen(), 7000)
    expect(node.peers()).toEqual([])
  })
})

it('frames and requests that come before the hello wait for it', async () => {
  const node = await startNode({ name: 'a' })
  const received = collect(node)
  let requests = 0
  node.onRequest = async () => Uint8Array.of(++requests)
  const raw = await connectRaw(node, { isSilent: true })
  const stream = await raw.open('consensus')
  stream.send(encodeFrame(Uint8Array.of(7)))
  const request = await raw.open('request')
  request.send(encodeFrame(Uint8Array.of(0)))
  await sleep(300)
  expect([received.get('consensus')!.length, requests]).toEqual([0, 0])
  await raw.sayHello()
  await until('both arrive', () => received.get('consensus')![0]?.[0] === 7 && requests === 1)
})
