// What one stranger's gossip does to honest validators that pass it on: nothing.
import { createHash } from 'node:crypto'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { verify } from '../../src/crypto/signer.ts'
import { createTransport, type Transport } from '../../src/network/transport.ts'
import { transactionsFrameCodec } from '../../src/types/fetch.ts'
import { encode } from '../../src/types/schema.ts'
import { createNetwork, getJson, type TestNetwork, until } from './network.ts'

const VALIDATORS = 4
let network: TestNetwork
let stranger: Transport

beforeAll(async () => {
  network = await createNetwork({ validators: VALIDATORS })
  await Promise.all(network.nodes.map((_, index) => network.start(index)))
}, 60_000)
afterAll(async () => {
  await stranger?.stop()
  await network?.close()
})

/** Validators that each node is connected to. */
async function links(): Promise<number[]> {
  const answers = await Promise.all(network.nodes.map((_, index) => getJson(network.url(index, '/v1/peers'))))
  return answers.map(({ body }) => {
    const peers = body.peers as unknown as { connected: boolean; validator: string | null }[]
    return peers.filter(({ connected, validator }) => connected && validator !== null).length
  })
}
const whole = (counts: number[]) => counts.every((count) => count === VALIDATORS - 1)

it('a message that no correct node makes does not part the validators that pass it on', async () => {
  stranger = await createTransport({
    genesisHash: network.genesisHash,
    nodeKeySeed: createHash('sha256').update('stranger').digest(),
    listen: ['/ip4/127.0.0.1/tcp/0'],
    bootstrap: [network.nodes[0]!.addresses[0]!],
    mdns: false,
    verify,
    isValidator: () => false,
    logger: { debug: () => {}, info: () => {}, warn: () => {} },
    subscribe: ['transactions'],
  })
  await stranger.start()
  await until('every link between validators', links, whole)
  // Publishing needs a mesh; it fails until the stranger has heard of a subscriber.
  let published = 0
  const end = Date.now() + 6_000
  while (published < 20 && Date.now() < end) {
    const junk = Buffer.from(`junk ${published} ${Math.random()}`)
    // No frame at all, and, what goes further, a good frame of no transaction: nodes pass on what they cannot judge.
    const payload = published % 4 === 0 ? junk : encode(transactionsFrameCodec, [junk])
    await stranger.publish('transactions', payload).then(
      () => published++,
      () => undefined,
    )
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(await links()).toEqual(Array(VALIDATORS).fill(VALIDATORS - 1))
  }
  expect(published).toBe(20)
  await new Promise((resolve) => setTimeout(resolve, 1_000))
  expect(await links()).toEqual(Array(VALIDATORS).fill(VALIDATORS - 1))
  expect(network.fatal).toEqual([])
}, 30_000)
