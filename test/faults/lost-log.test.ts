// A validator whose consensus log is gone follows and does not vote: docs/protocol.md, rule 13, over real processes under load.
import { copyFile, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Cluster, createCluster, LONG } from './cluster.ts'
import { expectExactlyOnce, expectOneLedger, expectStandstill, primaryOf, settled, untilProgress } from './ledgers.ts'
import { type Load, startLoad } from './load.ts'

const RECOVERY_MS = 60_000
const STANDSTILL_MS = LONG ? 20_000 : 4_000
const ALL = [0, 1, 2, 3]
const but = (left: number) => ALL.filter((index) => index !== left)

describe('a validator without its consensus log', () => {
  let cluster: Cluster
  let load: Load

  beforeAll(async () => {
    cluster = await createCluster()
    await cluster.start()
    load = await startLoad(cluster)
  }, 120_000)
  afterAll(() => cluster?.close(), 60_000)

  const harms: [name: string, harm: (log: string) => Promise<void>, reason: string][] = [
    ['deleted', (log) => rm(log), 'no consensus log'],
    ['damaged', damage, 'damaged'],
  ]
  for (const [name, harm, reason] of harms) {
    it(`follows and does not vote where the log was ${name}`, async () => {
      const [start] = await settled(cluster, ALL)
      const [without, stopped] = but(primaryOf(start!)) as [number, number]
      const log = join(cluster.home(without), 'data', 'consensus.log')
      await cluster.kill(without, 'SIGTERM')
      await copyFile(log, `${log}.kept`)
      await harm(log)
      await cluster.start(without)
      const line = (await cluster.log(without)).split('\n').findLast((each) => each.includes('does not vote:'))
      expect(line).toContain(reason)
      await untilProgress(cluster, [without], 5)
      await settled(cluster, ALL)

      await cluster.kill(stopped, 'SIGTERM')
      await expectStandstill(cluster, but(stopped), STANDSTILL_MS)
      await cluster.start(stopped)
      await untilProgress(cluster, ALL, 1, RECOVERY_MS)

      // With its own log again it votes: it has cast no vote in between, so the copy is not behind.
      await cluster.kill(without, 'SIGTERM')
      await copyFile(`${log}.kept`, log)
      await cluster.start(without)
      await settled(cluster, ALL)
      await cluster.kill(stopped, 'SIGTERM')
      await untilProgress(cluster, but(stopped), 3, RECOVERY_MS)
      await cluster.start(stopped)
      await settled(cluster, ALL)
      await expectOneLedger(cluster, ALL, load.certified)
    }, 240_000)
  }

  it('ran every transfer exactly once', async () => {
    await load.stop()
    await expectOneLedger(cluster, ALL, load.certified)
    await expectExactlyOnce(cluster, load)
  }, 60_000)
})

/** One bit a third of the way in: whole records follow, so that it is no torn tail. */
async function damage(log: string): Promise<void> {
  const bytes = await readFile(log)
  bytes[Math.floor(bytes.length / 3)]! ^= 1
  await writeFile(log, bytes)
}
