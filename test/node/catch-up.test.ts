// Catching up in one process: a validator that missed some hundred blocks, among an honest peer, a slow one and one that lies.
import { rm } from 'node:fs/promises'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { openLedger } from '../../src/ledger/ledger.ts'
import { answerBlockRequest } from '../../src/sync.ts'
import { blockAnswerCodec } from '../../src/types/fetch.ts'
import { decode, encode } from '../../src/types/schema.ts'
import { createImpostor, type Impostor } from './impostor.ts'
import {
  accountOf,
  alice,
  createNetwork,
  homeOf,
  metricOf,
  signed,
  statusOf,
  submit,
  type TestNetwork,
  until,
} from './network.ts'

const BLOCKS = 300
const [HONEST, LIAR, SLOW, BEHIND] = [0, 1, 2, 3] as const
const SLOW_MS = 1_500
const transfer = { contract: 'token', method: 'transfer', args: { to: accountOf('bob').address, amount: '1' } }

type Respond = (answer: Uint8Array) => Promise<Uint8Array>

/** Behind a validator's key and ledger. */
const impostor = (network: TestNetwork, index: number, respond: Respond) =>
  createImpostor(network, index, 'blocks', async ({ paths, genesisHash }) => {
    const ledger = await openLedger({ directory: paths.ledger, genesisHash, tree: false })
    return {
      height: ledger.certifiedHeight(),
      answer: async (payload) => respond(await answerBlockRequest(ledger, payload)),
      close: ledger.close,
    }
  })

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

describe('a validator that missed some hundred blocks', () => {
  let network: TestNetwork
  let nonce = 0
  let tip = 0
  const impostors: Impostor[] = []

  beforeAll(async () => {
    network = await createNetwork({ validators: 4, parameters: { blockTransactionsMax: 1, batchDelayMs: 1 } })
    await network.startReady(HONEST, LIAR, SLOW)
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
      await rm(homeOf(network, BEHIND, 'data/ledger'), { recursive: true, force: true })
      const liar = await impostor(network, LIAR, respond)
      const slow = await impostor(network, SLOW, async (answer) => {
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
      expect((await metricOf(network, BEHIND, 'quorate_dropped_peers_total')) > 0).toBe(isProof)
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
