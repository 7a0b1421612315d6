// Joining by a snapshot, in one process: a validator that missed more than two snapshot intervals, among honest peers and one that lies.
import { existsSync } from 'node:fs'
import { readdir, rm } from 'node:fs/promises'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { openSnapshot, snapshotFolder } from '../../src/snapshot/files.ts'
import { createShelf } from '../../src/snapshot/shelf.ts'
import { type SnapshotRequest, snapshotRequestCodec } from '../../src/types/fetch.ts'
import { decode, encode } from '../../src/types/schema.ts'
import { type Chunk, chunkCodec } from '../../src/types/snapshot.ts'
import { createImpostor, type Impostor } from './impostor.ts'
import {
  accountOf,
  alice,
  createNetwork,
  getJson,
  homeOf,
  metricOf,
  signed,
  statusOf,
  submit,
  type TestNetwork,
  until,
} from './network.ts'

const INTERVAL = 16
const BLOCKS = 70
const [FIRST, SECOND, LIAR, BEHIND] = [0, 1, 2, 3] as const
const transfer = (to: string) => ({
  contract: 'token',
  method: 'transfer',
  args: { to: accountOf(to).address, amount: '1' },
})

type Lie = (answer: Uint8Array, request: SnapshotRequest) => Uint8Array | Promise<Uint8Array>
const onChunks =
  (change: (chunk: Chunk) => Chunk): Lie =>
  (answer, { type }) =>
    type === 'manifest' ? answer : encode(chunkCodec, change(decode(chunkCodec, answer)))
const lies: Record<string, Lie> = {
  'wrong values': onChunks((chunk) => ({
    ...chunk,
    entries: chunk.entries.map((entry) => ({ ...entry, value: entry.value.replace(/\d/, '9') })),
  })),
  'an edited manifest': (answer, { type }) => {
    const edited = Uint8Array.from(answer)
    if (type === 'manifest') edited[edited.length - 1]! ^= 1
    return edited
  },
}

/** Behind the liar's key and snapshots. */
const liar = (network: TestNetwork, height: number, lie: Lie) =>
  createImpostor(network, LIAR, 'snapshots', async ({ paths }) => {
    const shelf = createShelf({ root: paths.snapshots, kept: 2, onDropped() {}, now: () => 0 })
    await shelf.refresh()
    return {
      height,
      async answer(payload) {
        const request = decode(snapshotRequestCodec, payload)
        return lie(await shelf.answer(request), request)
      },
    }
  })

describe('a validator that missed several snapshot intervals', () => {
  let network: TestNetwork
  let nonce = 0
  let tip = 0
  let impostor: Impostor | undefined

  beforeAll(async () => {
    const parameters = { blockTransactionsMax: 1, batchDelayMs: 1, windowBlocks: 16, snapshotIntervalBlocks: INTERVAL }
    // Enough for several chunks, so that every peer is asked for some.
    network = await createNetwork({ validators: 4, parameters, largeContracts: 10 })
    await network.startReady(FIRST, SECOND, LIAR)
    const wires = Array.from({ length: BLOCKS }, (_, n) => signed(network, alice, nonce++, transfer(`heir ${n}`)))
    expect((await submit(network, FIRST, wires, '?wait=certified&timeout=60000')).status).toBe(200)
    tip = (await statusOf(network, FIRST)).certifiedHeight
    for (const index of [FIRST, SECOND, LIAR])
      await until(
        'a snapshot of the last interval',
        () => metricOf(network, index, 'quorate_snapshot_height'),
        (height) => height === tip - (tip % INTERVAL),
      )
    await network.stop(LIAR)
  }, 90_000)
  afterEach(() => impostor?.close())
  afterAll(async () => {
    await network?.close()
    expect(network?.fatal).toEqual([])
  })

  it('makes snapshots at certified heights and keeps two, the same on every node', async () => {
    const newest = tip - (tip % INTERVAL)
    const roots = [FIRST, SECOND].map((index) => homeOf(network, index, 'data/snapshots'))
    for (const root of roots) {
      const heights = (await readdir(root)).map(Number)
      expect([heights.length, Math.max(...heights)]).toEqual([2, newest])
      expect(heights.every((height) => height % INTERVAL === 0)).toBe(true)
    }
    const [one, other] = await Promise.all(roots.map((root) => openSnapshot(snapshotFolder(root, newest))))
    expect(one!.manifest.subtrees).toEqual(other!.manifest.subtrees)
    expect(await one!.chunk(0)).toEqual(await other!.chunk(0))
  })

  it.each(Object.keys(lies))(
    'joins by a snapshot while one peer answers with %s',
    async (name) => {
      await network.stop(BEHIND)
      await rm(homeOf(network, BEHIND, 'data/ledger'), { recursive: true, force: true })
      await rm(homeOf(network, BEHIND, 'data/snapshots'), { recursive: true, force: true })
      impostor = await liar(network, tip, lies[name]!)
      await network.start(BEHIND)
      const reached = await until(
        'the tip',
        // While it opens its parts again its API is away.
        () => statusOf(network, BEHIND).catch(() => undefined),
        (status) => (status?.certifiedHeight ?? 0) >= tip,
      )
      const expected = await statusOf(network, FIRST)
      expect([reached?.blockHash, reached?.stateRoot]).toEqual([expected.blockHash, expected.stateRoot])
      expect(impostor.asked()).toBeGreaterThan(0)
      // What is below the snapshot is not here.
      expect((await getJson(network.url(BEHIND, '/v1/blocks/3'))).body.code).toBe('PRUNED')
      const base = tip - (tip % INTERVAL)
      const balance = async (index: number, height: number) => {
        const key = encodeURIComponent(`balance/${alice.address}`)
        const query = `height=${height}&prove=true`
        const { body } = await getJson(network.url(index, `/v1/contracts/token/state/${key}?${query}`))
        return body as {
          value?: string
          height?: number
          proof?: { certificate: { height: number }; siblings: string[] }
        }
      }
      for (const height of [base, tip]) {
        const here = await balance(BEHIND, height)
        expect([here.value, here.height, here.proof?.certificate.height]).toEqual([expect.any(String), height, height])
        const there = await balance(FIRST, height)
        expect([there.value, there.proof?.siblings]).toEqual([here.value, here.proof?.siblings])
      }
      expect(await readdir(homeOf(network, BEHIND, 'data/snapshots'))).toEqual([String(base)])
      for (const left of ['ledger-incoming', 'ledger-replaced', 'ledger-swap', 'snapshot-incoming'])
        expect(existsSync(homeOf(network, BEHIND, 'data', left))).toBe(false)
    },
    40_000,
  )

  it('votes then: with another validator off, nothing commits without it', async () => {
    const { status, body } = await submit(network, FIRST, signed(network, alice, nonce++, transfer('bob')))
    expect([status, body.status]).toEqual([200, 'ok'])
    const { certifiedHeight } = await statusOf(network, FIRST)
    expect(certifiedHeight).toBeGreaterThan(tip)
  }, 40_000)

  it('executes every block instead where it is told to, and votes again after that too', async () => {
    await network.stop(BEHIND)
    await rm(homeOf(network, BEHIND, 'data/ledger'), { recursive: true })
    await network.start(BEHIND, { QUORATE_LEDGER_JOIN_BY_SNAPSHOT: 'false' })
    const votes = async () => (await getJson(network.url(BEHIND, '/v1/status'))).body
    await until(
      'votes',
      () => votes().catch(() => undefined),
      (status) => status?.voting === true,
    )
    // Every block is here this time.
    expect((await getJson(network.url(BEHIND, '/v1/blocks/3'))).status).toBe(200)
    const { status, body } = await submit(network, FIRST, signed(network, alice, nonce++, transfer('carol')))
    expect([status, body.status]).toEqual([200, 'ok'])
  }, 40_000)
})
