// A validator that was away for some hundred blocks joins by a snapshot under load, while a peer that all nodes dial lies to it, and votes
// then: docs/protocol.md, "Catching up", over real processes.
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { nodeIdOf } from '../../src/crypto/node-id.ts'
import { createKeyPair, verify } from '../../src/crypto/signer.ts'
import { createTransport, type Transport } from '../../src/network/transport.ts'
import { snapshotRequestCodec } from '../../src/types/fetch.ts'
import { messageCodec } from '../../src/types/message.ts'
import { decode, encode } from '../../src/types/schema.ts'
import { ALL, allBut, ask, type Cluster, freePorts, LONG, measured, report } from './cluster.ts'
import { expectExactlyOnce, settled, untilProgress } from './ledgers.ts'
import { type Load, startUnderLoad } from './load.ts'

const INTERVAL = 32
const MISSED_BLOCKS = LONG ? 2_000 : 130
const RECOVERY_MS = 60_000
/** It is asked for chunks where it is connected in time, which one of so many attempts will do. */
const ATTEMPTS = 5
const AWAY = 3
const OTHERS = allBut(AWAY)
const seed = new Uint8Array(32).fill(77)

/** Passes on what an honest node answers, but for one bit of each chunk. */
async function createLiar(cluster: Cluster, port: number) {
  const { genesisHash } = await ask<{ genesisHash: string }>(cluster.url(0, '/v1/status'))
  const transport: Transport = await createTransport({
    genesisHash,
    nodeKeySeed: seed,
    listen: [`/ip4/127.0.0.1/tcp/${port}`],
    bootstrap: ALL.map(cluster.p2p),
    mdns: false,
    verify,
    isValidator: () => false,
    logger: { debug() {}, info() {}, warn() {} },
  })
  const honest = cluster.p2p(0).split('/p2p/')[1]!
  let lies = 0
  transport.onRequest = async (_, payload, kind) => {
    if (kind === 'blocks') throw new Error('it has no blocks to give')
    const answer = await transport.request(honest, payload, { timeoutMs: 5_000, kind })
    const request = decode(snapshotRequestCodec, payload)
    if (request.type === 'manifest' || answer.length === 0) return answer
    lies++
    const lie = Uint8Array.from(answer)
    lie[lie.length - 1]! ^= 1
    return lie
  }
  const claim = () => {
    const height = 1_000_000
    const status = { type: 'status', epoch: 0, view: 0, active: true, h: height, lastExec: height } as const
    transport.broadcast('consensus', encode(messageCodec, status), 'all')
  }
  const claiming = setInterval(claim, 200)
  transport.onConnect = claim
  await transport.start()
  return {
    lies: () => lies,
    async close() {
      clearInterval(claiming)
      await transport.stop()
    },
  }
}

describe('a validator away for longer than two snapshot intervals', () => {
  let cluster: Cluster
  let load: Load
  let liar: Awaited<ReturnType<typeof createLiar>>
  const liarId = nodeIdOf(createKeyPair(seed).publicKey)

  beforeAll(async () => {
    const port = await freePorts()
    ;({ cluster, load } = await startUnderLoad({
      joinBySnapshot: [AWAY],
      strangers: [`/ip4/127.0.0.1/tcp/${port + 15}/p2p/${liarId}`],
      genesis({ parameters, contracts }) {
        parameters.snapshotIntervalBlocks = INTERVAL
        // State enough for some twenty chunks.
        const { code, init, owner } = contracts.find(({ name }) => name === 'token')!
        for (let n = 0; n < 20; n++)
          contracts.push({ name: `large-${n}`, code: `${code}\n// ${`${n} `.repeat(40_000)}`, init, owner })
      },
    }))
    liar = await createLiar(cluster, port + 15)
  }, 120_000)
  afterAll(async () => {
    await liar?.close()
    await cluster?.close()
  }, 60_000)

  it('joins by a snapshot, whatever a liar answers', async () => {
    await settled(cluster, ALL)
    await cluster.kill(AWAY, 'SIGTERM')
    await untilProgress(cluster, OTHERS, MISSED_BLOCKS, RECOVERY_MS)
    for (let attempt = 0; attempt < ATTEMPTS && liar.lies() === 0; attempt++) {
      await cluster.kill(AWAY, 'SIGTERM')
      if (attempt > 0)
        for (const folder of ['ledger', 'snapshots'])
          await rm(join(cluster.home(AWAY), 'data', folder), { recursive: true })
      const startedAt = performance.now()
      await cluster.start(AWAY)
      await settled(cluster, ALL)
      measured('away for some hundred blocks: from the start to level with the others', performance.now() - startedAt)
    }
    const log = await cluster.log(AWAY)
    expect(log).toContain('a ledger was made of a snapshot')
    expect(liar.lies()).toBeGreaterThan(0)
    const dropped = log.split('\n').filter((line) => line.includes('wrong chunk of a snapshot'))
    expect(dropped.every((line) => line.includes(liarId))).toBe(true)
    expect(dropped.length).toBeGreaterThan(0)
    report('lies told', liar.lies())
  }, 240_000)

  it('votes then: with another validator off, nothing commits without it', async () => {
    const other = 1
    await cluster.kill(other, 'SIGTERM')
    await untilProgress(cluster, [0, 2, AWAY], 5, RECOVERY_MS)
    await cluster.start(other)
    await settled(cluster, ALL)
  }, 120_000)

  it('says of its snapshots what they are', async () => {
    const text = await (await fetch(cluster.url(0, '/metrics'))).text()
    const figure = (name: string) => Number(new RegExp(`^quorate_${name} (.+)$`, 'm').exec(text)?.[1])
    report(
      'a snapshot: keys, bytes, seconds',
      ['keys', 'bytes', 'seconds'].map((each) => figure(`snapshot_${each}`)),
    )
    expect(figure('snapshot_height') % INTERVAL).toBe(0)
    expect(figure('snapshot_height')).toBeGreaterThan(0)
  })

  it('ran every transfer exactly once', () => expectExactlyOnce(cluster, OTHERS, load), 60_000)
})
