// Floods: a validator's keys and a stranger's, used by a program that sends as fast as node 0 takes it. Rules: docs/protocol.md, "Bounds".
import { type ChildProcess, spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readSeed } from '../../src/crypto/key-file.ts'
import { toHex } from '../../src/types/hex.ts'
import { ALL, allBut, ask, type Cluster, createCluster, LONG, report, sleep } from './cluster.ts'
import type { Flooded, FloodOrder, Kind } from './flooder.ts'
import { expectExactlyOnce, settled, untilProgress } from './ledgers.ts'
import { type Load, startLoad } from './load.ts'

const FLOODER = join(import.meta.dirname, 'flooder.ts')
/** Of each kind, by both at once. */
const FLOOD_MS = LONG ? 20_000 : 4_000
/** Blocks that must come while one lasts, however slow the machine; at rest there are ten times as many. */
const BLOCKS_MIN = LONG ? 15 : 3
/** A node at rest has about 250 MB; queues of 8 MiB per stream and a full pool come on top. */
const RSS_MAX_BYTES = 900 * 1024 * 1024
const ALIVE = allBut(3)
const MIB = 1024 * 1024

describe('three of four validators, of which node 0 is flooded', () => {
  let cluster: Cluster
  let load: Load
  let genesisHash: string
  const flooders = new Set<ChildProcess>()

  beforeAll(async () => {
    cluster = await createCluster()
    await cluster.start()
    await settled(cluster, ALL)
    genesisHash = (await ask<{ genesisHash: string }>(cluster.url(0, '/v1/status'))).genesisHash
    // Its keys are the flooder's from now on. Every block needs the votes of the three that are left.
    await cluster.kill(3, 'SIGTERM')
    load = await startLoad(cluster)
  }, 120_000)
  afterAll(async () => {
    for (const child of flooders) child.kill('SIGKILL')
    await cluster?.close()
  }, 60_000)

  const kinds: Kind[] = ['status', 'body-requests', 'transactions', 'garbage', 'huge']
  for (const kind of kinds) {
    it(`goes on committing under floods of ${kind}, in bounded memory`, async () => {
      const { validator, stranger } = await underFlood(kind)
      // Of what honest nodes send too, a validator may send much; a stranger never.
      expect([kind, stranger.drops > 0]).toEqual([kind, true])
      if (kind === 'garbage' || kind === 'huge') expect([kind, validator.drops > 0]).toEqual([kind, true])
    }, 120_000)
  }

  it('tells whom it dropped, and why', async () => {
    const lines = (await cluster.log(0)).split('\n').filter((line) => line.includes('a peer is dropped'))
    expect(lines.some((line) => line.includes('malformed consensus frame'))).toBe(true)
  })

  it('is whole afterwards: the validator comes back and votes, every transfer ran exactly once', async () => {
    await cluster.start(3)
    await settled(cluster, ALL)
    await expectExactlyOnce(cluster, ALL, load)
  }, 120_000)

  async function underFlood(kind: Kind): Promise<Record<'validator' | 'stranger', Flooded>> {
    const { seed } = await readSeed(join(cluster.home(3), 'keys', 'validator.json'))
    const before = (await cluster.status(0)).certifiedHeight
    const order = { target: cluster.p2p(0), genesisHash, kind, forMs: FLOOD_MS }
    const flooding = Promise.all([flood({ ...order, validatorSeed: toHex(seed) }), flood(order)])
    let isOver = false
    const end = () => {
      isOver = true
    }
    flooding.then(end, end)
    let mostBytes = 0
    while (!isOver) {
      mostBytes = Math.max(mostBytes, await residentBytes(cluster.pid(0)))
      await sleep(200)
    }
    const [validator, stranger] = await flooding
    const after = await ask<{ certifiedHeight: number }>(cluster.url(0, '/v1/status'), 20_000)
    const blocks = after.certifiedHeight - before
    const memory = `RSS up to ${Math.round(mostBytes / MIB)} MiB`
    report(`flood of ${kind}`, `${blocks} blocks; ${memory}; ${JSON.stringify({ validator, stranger })}`)
    expect(blocks).toBeGreaterThanOrEqual(BLOCKS_MIN)
    expect(mostBytes).toBeLessThan(RSS_MAX_BYTES)
    await untilProgress(cluster, ALIVE, 3, 30_000)
    return { validator, stranger }
  }

  function flood(order: FloodOrder): Promise<Flooded> {
    const child = spawn(process.execPath, [FLOODER, JSON.stringify(order)], { stdio: ['ignore', 'pipe', 'pipe'] })
    flooders.add(child)
    let output = ''
    let errors = ''
    child.stdout.on('data', (chunk) => (output += chunk))
    child.stderr.on('data', (chunk) => (errors += chunk))
    return new Promise((resolve, reject) => {
      child.once('close', (code) => {
        flooders.delete(child)
        if (code === 0) resolve(JSON.parse(output))
        else reject(new Error(`the flooder ended with ${code}: ${errors}`))
      })
    })
  }
})

async function residentBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)![1]) * 1024
}
