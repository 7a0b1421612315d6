// A validator whose consensus log is gone follows and does not vote: docs/protocol.md, rule 13, over real processes under load.
import { copyFile, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ALL, allBut, type Cluster, LONG } from './cluster.ts'
import { expectExactlyOnce, expectOneLedger, expectStandstill, primaryOf, settled, untilProgress } from './ledgers.ts'
import { type Load, startUnderLoad } from './load.ts'

const RECOVERY_MS = 60_000
const STANDSTILL_MS = LONG ? 20_000 : 4_000

describe('a validator without its consensus log', () => {
  let cluster: Cluster
  let load: Load
  /** The one whose log is harmed, and another: neither was the primary at the start. */
  let without: number
  let other: number
  let log: string

  beforeAll(async () => {
    ;({ cluster, load } = await startUnderLoad())
    const [start] = await settled(cluster, ALL)
    // Enough records that one of them has others behind it.
    await untilProgress(cluster, ALL, 10)
    ;[without, other] = allBut(primaryOf(start!)) as [number, number]
    log = join(cluster.home(without), 'data', 'consensus.log')
    await cluster.kill(without, 'SIGTERM')
    await copyFile(log, `${log}.kept`)
  }, 120_000)
  afterAll(() => cluster?.close(), 60_000)

  const harms: [name: string, harm: () => Promise<void>, reason: string][] = [
    ['deleted', () => rm(log), 'no consensus log'],
    ['damaged', putDamaged, 'damaged'],
  ]
  for (const [name, harm, reason] of harms) {
    it(`follows and does not vote where the log was ${name}`, async () => {
      await cluster.kill(without, 'SIGTERM')
      await harm()
      await cluster.start(without)
      const line = (await cluster.log(without)).split('\n').findLast((each) => each.includes('does not vote:'))
      expect(line).toContain(reason)
      await untilProgress(cluster, [without], 5)
      await settled(cluster, ALL)

      await cluster.kill(other, 'SIGTERM')
      await expectStandstill(cluster, allBut(other), STANDSTILL_MS)
      await cluster.start(other)
      await untilProgress(cluster, ALL, 1, RECOVERY_MS)
      await expectOneLedger(cluster, ALL, load.certified)
    }, 240_000)
  }

  it('votes with its own log again: it has cast no vote in between, so the copy is not behind', async () => {
    await cluster.kill(without, 'SIGTERM')
    await copyFile(`${log}.kept`, log)
    await cluster.start(without)
    await settled(cluster, ALL)
    await cluster.kill(other, 'SIGTERM')
    await untilProgress(cluster, allBut(other), 3, RECOVERY_MS)
    await cluster.start(other)
    await settled(cluster, ALL)
    await expectOneLedger(cluster, ALL, load.certified)
  }, 240_000)

  it('ran every transfer exactly once', () => expectExactlyOnce(cluster, ALL, load), 60_000)

  /** One bit a third of the way in: whole records follow, so that it is no torn tail. */
  async function putDamaged(): Promise<void> {
    const bytes = await readFile(`${log}.kept`)
    bytes[Math.floor(bytes.length / 3)]! ^= 1
    await writeFile(log, bytes)
  }
})
