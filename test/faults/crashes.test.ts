// All validators killed at random moments under load: docs/protocol.md, "Durability", over real processes.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Cluster, createCluster, LONG, measured, report, sleep, until } from './cluster.ts'
import { expectExactlyOnce, expectOneLedger, settled, untilProgress } from './ledgers.ts'
import { type Load, startLoad } from './load.ts'

const CRASHES = LONG ? 20 : 3
/** All die within so long, each at its own moment. */
const SPREAD_MS = 300
const RECOVERY_MS = 60_000
const ALL = [0, 1, 2, 3]

describe('validators that crash', () => {
  let cluster: Cluster
  let load: Load

  beforeAll(async () => {
    cluster = await createCluster()
    await cluster.start()
    load = await startLoad(cluster)
  }, 120_000)
  afterAll(() => cluster?.close(), 60_000)

  it(`lose nothing they certified when all are killed, ${CRASHES} times in a row`, async () => {
    await settled(cluster, ALL)
    for (let crash = 1; crash <= CRASHES; crash++) {
      const before = load.certified.length
      await until(
        'clients get receipts',
        async () => load.certified.length,
        (count) => count >= before + 20,
      )
      await sleep(Math.random() * 1_000)
      await Promise.all(
        ALL.map(async (index) => {
          await sleep(Math.random() * SPREAD_MS)
          await cluster.kill(index)
        }),
      )
      const receipts = load.certified.slice()
      await cluster.start()
      measured(`crash ${crash}: the first new block after all run`, await untilProgress(cluster, ALL, 1, RECOVERY_MS))
      await expectOneLedger(cluster, ALL, receipts)
    }
    const [status] = await settled(cluster, ALL)
    report(`after ${CRASHES} crashes of all: view`, status!.view)
    expect(status!.view).toBeLessThanOrEqual(2 * CRASHES)
  }, 900_000)

  it('ran every transfer exactly once', async () => {
    await load.stop()
    await expectOneLedger(cluster, ALL, load.certified)
    await expectExactlyOnce(cluster, load)
  }, 60_000)
})
