// Catching up in one process: a validator that missed some hundred blocks, among an honest peer, a slow one and one that lies.
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { verify } from '../../src/crypto/signer.ts'
import { engineHash } from '../../src/execution/engine-hash.ts'
import { openHome } from '../../src/home/home.ts'
import { type Ledger, openLedger } from '../../src/ledger/ledger.ts'
import { createTransport, type Transport } from '../../src/network/transport.ts'
import { answerBlockRequest } from '../../src/sync.ts'
import { blockAnswerCodec } from '../../src/types/fetch.ts'
import { toHex } from '../../src/types/hex.ts'
import { messageCodec } from '../../src/types/message.ts'
import { decode, encode } from '../../src/types/schema.ts'
import { accountOf, alice, createNetwork, signed, statusOf, submit, type TestNetwork, until } from './network.ts'

const BLOCKS = 300
const [HONEST, LIAR, SLOW, BEHIND] = [0, 1, 2, 3] as const
const SLOW_MS = 1_500
const transfer = { contract: 'token', method: 'transfer', args: { to: accountOf('bob').address, amount: '1' } }

type Respond = (answer: Uint8Array) => Promise<Uint8Array>

/** A validator's key and ledger behind a node that only claims its height and answers block requests, in its own way. */
async function createImpostor(network: TestNetwork, index: number, respond: Respond) {
  const home = await openHome(join(network.directory, `node-${index}`), {
    environment: {},
    context: { engineHash: engineHash() },
  })
  const { genesisHash } = home
  const ledger: Ledger = await openLedger({ directory: home.paths.ledger, genesisHash, tree: false })
  const keys = new Set(home.genesis.validators.map(({ key }) => key))
  const { listen, bootstrap } = home.config.p2p
  const logger = { debug() {}, info() {}, warn() {} }
  const transport: Transport = await createTransport({
    genesisHash,
    nodeKeySeed: home.nodeKeySeed,
    listen,
    bootstrap,
    mdns: false,
    identity: home.validatorKey,
    verify,
    isValidator: (key) => keys.has(key),
    logger,
  })
  const h = ledger.certifiedHeight()
  const status = encode(messageCodec, { type: 'status', epoch: 0, view: 0, active: true, h, lastExec: h })
  const say = setInterval(() => transport.broadcast('consensus', status, 'all'), 200)
  let asked = 0
  transport.onRequest = async (_, payload) => {
    asked++
    return respond(await answerBlockRequest(ledger, payload))
  }
  await transport.start()
  expect(keys.has(toHex(home.validatorKey.publicKey))).toBe(true)
  return {
    asked: () => asked,
    async close() {
      clearInterval(say)
      await transport.stop()
      await ledger.close()
    },
  }
}

/** Blocks as they are, but for one amount of money. */
async function forge(answer: Uint8Array): Promise<Uint8Array> {
  const blocks = decode(blockAnswerCodec, answer)
  const block = blocks[Math.floor(blocks.length / 2)]!
  const batch = Uint8Array.from(block.batch)
  batch[batch.length - 70]! ^= 1
  return encode(
    blockAnswerCodec,
    blocks.map((one) => (one === block ? { ...block, batch } : one)),
  )
}

const lies: Record<string, { respond: Respond; isProof: boolean }> = {
  'wrong blocks': { respond: forge, isProof: true },
  garbage: { respond: async () => Uint8Array.of(1, 2, 3), isProof: true },
  silence: { respond: () => new Promise(() => {}), isProof: false },
}

async function droppedBy(network: TestNetwork, index: number): Promise<number> {
  const text = await (await fetch(network.url(index, '/metrics'))).text()
  return Number(/^quorate_dropped_peers_total (\d+)/m.exec(text)![1])
}

describe('a validator that missed some hundred blocks', () => {
  let network: TestNetwork
  let nonce = 0
  let tip = 0
  const impostors: { close(): Promise<void> }[] = []

  beforeAll(async () => {
    network = await createNetwork({ validators: 4, parameters: { blockTransactionsMax: 1, batchDelayMs: 1 } })
    await Promise.all([HONEST, LIAR, SLOW].map((index) => network.start(index)))
    await until(
      'readiness',
      () => fetch(network.url(HONEST, '/ready')),
      (response) => response.status === 200,
    )
    const wires = Array.from({ length: BLOCKS }, () => signed(network, alice, nonce++, transfer))
    expect((await submit(network, HONEST, wires, '?wait=certified&timeout=60000')).status).toBe(200)
    tip = (await statusOf(network, HONEST)).certifiedHeight
    expect(tip).toBeGreaterThanOrEqual(BLOCKS)
    for (const index of [LIAR, SLOW]) {
      await until(
        'the same height',
        () => statusOf(network, index),
        ({ certifiedHeight }) => certifiedHeight >= tip,
      )
      await network.stop(index)
    }
  }, 90_000)
  afterEach(async () => {
    for (const impostor of impostors.splice(0)) await impostor.close()
  })
  afterAll(async () => {
    await network?.close()
    expect(network?.fatal).toEqual([])
  })

  it.each(Object.keys(lies))(
    'reaches the tip while one peer is slow and one answers with %s',
    async (name) => {
      const { respond, isProof } = lies[name]!
      await network.stop(BEHIND)
      await rm(join(network.directory, `node-${BEHIND}`, 'data/ledger'), { recursive: true, force: true })
      const liar = await createImpostor(network, LIAR, respond)
      const slow = await createImpostor(network, SLOW, async (answer) => {
        await new Promise((resolve) => setTimeout(resolve, SLOW_MS))
        return answer
      })
      impostors.push(liar, slow)
      await network.start(BEHIND)
      const reached = await until(
        'the tip',
        () => statusOf(network, BEHIND),
        ({ certifiedHeight }) => certifiedHeight >= tip,
      )
      const expected = await statusOf(network, HONEST)
      expect([reached.blockHash, reached.stateRoot]).toEqual([expected.blockHash, expected.stateRoot])
      expect(liar.asked()).toBeGreaterThan(0)
      expect((await droppedBy(network, BEHIND)) > 0).toBe(isProof)
    },
    40_000,
  )

  it('votes then: with another validator off, nothing commits without it', async () => {
    await network.start(LIAR)
    const { status, body } = await submit(network, HONEST, signed(network, alice, nonce++, transfer))
    expect([status, body.status]).toEqual([200, 'ok'])
    await until(
      'the same block everywhere',
      () => Promise.all([HONEST, LIAR, BEHIND].map((index) => statusOf(network, index))),
      (all) => all.every((one) => one.certifiedHeight > tip && one.blockHash === all[0]!.blockHash),
    )
  }, 40_000)
})
