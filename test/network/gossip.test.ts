import { randomBytes } from 'node:crypto'
import { afterEach, describe, expect, it } from 'vitest'
import type { Topic, Transport } from '../../src/network/transport.ts'
import { connectRaw, stopRaw } from './raw.ts'
import { isConnected, sleep, startNetwork, startNode, stopAll, until } from './support.ts'

afterEach(async () => {
  await stopRaw()
  await stopAll()
})

function collect(node: Transport, verdict: 'accept' | 'ignore' | 'reject' = 'accept'): string[] {
  const received: string[] = []
  node.onGossip = (_: string, topic: Topic, payload: Uint8Array) => {
    received.push(`${topic} ${payload.length} ${payload[0]}`)
    return verdict
  }
  return received
}

/** Publishes anew until it arrives: gossip needs a moment after the connection to know who wants what. */
async function publishUntil(from: Transport, topic: Topic, received: string[]): Promise<void> {
  const deadline = Date.now() + 8000
  while (!received.some((entry) => entry.startsWith(topic))) {
    if (Date.now() > deadline) throw new Error('the gossip did not arrive within 8000 ms')
    await from.publish(topic, Buffer.concat([Uint8Array.of(1), randomBytes(200)]))
    await sleep(50)
  }
}

describe('gossip', () => {
  it('reaches an observer that is connected to one validator only, whoever publishes', async () => {
    const nodes = await startNetwork(['a', 'b', 'c'])
    for (const node of nodes) collect(node)
    // It takes nobody for a validator, so it dials its bootstrap node and no other.
    const observer = await startNode({ name: 'o', bootstrap: nodes[0]!.addresses() })
    const received = collect(observer)
    await until('the observer is connected', () => isConnected(observer, nodes[0]!))
    await publishUntil(nodes[0]!, 'blocks', received)
    received.length = 0
    await publishUntil(nodes[2]!, 'blocks', received)
    expect(observer.peers()).toHaveLength(1)
    const large = new Uint8Array(1024 * 1024).fill(9)
    await nodes[1]!.publish('blocks', large)
    await until('a message of one MiB arrives', () => received.includes('blocks 1048576 9'))
    await expect(nodes[1]!.publish('blocks', new Uint8Array(1024 * 1024 + 1))).rejects.toThrow('cut it into several')
  })

  it("carries an observer's transactions to the validators, and identical bytes once", async () => {
    const nodes = await startNetwork(['a', 'b'])
    const received = nodes.map((node) => collect(node))
    const observer = await startNode({ name: 'o', bootstrap: nodes[0]!.addresses() })
    await until('the observer is connected', () => isConnected(observer, nodes[0]!) && isConnected(nodes[0]!, observer))
    await publishUntil(observer, 'transactions', received[1]!)
    const before = received[0]!.length
    await observer.publish('transactions', Uint8Array.of(5, 5))
    await observer.publish('transactions', Uint8Array.of(5, 5))
    await until(
      'it arrives',
      () => received[0]!.includes('transactions 2 5') && received[1]!.includes('transactions 2 5'),
    )
    await sleep(100)
    expect(received[0]!.slice(before).filter((entry) => entry === 'transactions 2 5')).toHaveLength(1)
  })

  it('that is rejected costs the peer that passed it on its connection; a fault of the handler does not', async () => {
    const [first, second] = await startNetwork(['a', 'b'])
    const received = collect(first!)
    await publishUntil(second!, 'transactions', received)
    let calls = 0
    first!.onGossip = () => {
      calls++
      throw new Error('a fault in the handler')
    }
    await second!.publish('transactions', Uint8Array.of(1, 1))
    await until('the handler is called', () => calls === 1)
    expect(isConnected(first!, second!)).toBe(true)
    collect(first!, 'reject')
    await second!.publish('transactions', Uint8Array.of(2, 2))
    await until('the peer is dropped', () => !isConnected(first!, second!))
  })

  it('is bounded per peer', async () => {
    const validators = ['a', 'b']
    const first = await startNode({ name: 'a', validators, limits: { gossipMessagesPerSecond: 10 } })
    const second = await startNode({ name: 'b', validators, bootstrap: first.addresses() })
    await until('connected', () => isConnected(first, second) && isConnected(second, first))
    const received = collect(first)
    await publishUntil(second, 'transactions', received)
    await Promise.all(Array.from({ length: 300 }, () => second.publish('transactions', randomBytes(100))))
    await sleep(500)
    expect(received.length).toBeGreaterThan(20)
    expect(received.length).toBeLessThan(60)
  })

  it('that is dead on a living connection is noticed, and the connection closed', async () => {
    const node = await startNode({ name: 'a' })
    const raw = await connectRaw(node, { hasGossip: false })
    await until('the raw peer, which has no gossip, is known', () => node.peers().length === 1)
    await until('the connection is closed', () => !raw.isOpen(), 9000)
  })
})
