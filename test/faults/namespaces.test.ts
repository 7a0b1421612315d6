// Four hosts in four network namespaces, and a cable that is pulled and plugged in again. Skipped, saying why, where that cannot be had.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ALL, allBut, type Cluster, LONG, measured, sleep } from './cluster.ts'
import { expectExactlyOnce, expectOneLedger, primaryOf, settled, untilNextView, untilProgress } from './ledgers.ts'
import { type Load, startUnderLoad } from './load.ts'
import { createHosts, type Hosts, namespacesFault } from './namespaces.ts'

const UNPLUGGED_MS = LONG ? 30_000 : 6_000
const RECOVERY_MS = 60_000
const fault = namespacesFault()

describe.skipIf(fault !== undefined)(`hosts in network namespaces${fault === undefined ? '' : ` (${fault})`}`, () => {
  let hosts: Hosts
  let cluster: Cluster
  let load: Load

  beforeAll(async () => {
    hosts = await createHosts(4)
    const place = (index: number) => ({ host: hosts.address(index), prefix: hosts.prefix(index) })
    ;({ cluster, load } = await startUnderLoad({ place }))
  }, 120_000)
  afterAll(async () => {
    for (const index of ALL) await hosts?.link(index, 'up').catch(() => {})
    await cluster?.close()
    await hosts?.close()
  }, 60_000)

  for (const who of ['a backup', 'the primary']) {
    it(`go on without ${who} whose cable is pulled; it comes back, catches up and votes`, async () => {
      const [before] = await settled(cluster, ALL)
      const primary = primaryOf(before!)
      const cut = who === 'the primary' ? primary : ALL.find((index) => index !== primary)!
      const cutAt = performance.now()
      await hosts.link(cut, 'down')
      cluster.setReachable(cut, false)
      if (cut === primary) {
        const resumedMs = await untilNextView(cluster, allBut(cut), before!.view, cutAt, RECOVERY_MS)
        measured('cable of the primary: the next view certifies blocks after', resumedMs)
      }
      await untilProgress(cluster, allBut(cut), 5, RECOVERY_MS)
      await sleep(UNPLUGGED_MS)
      const pluggedAt = performance.now()
      await hosts.link(cut, 'up')
      cluster.setReachable(cut, true)
      const [after] = await settled(cluster, ALL)
      measured(`cable of ${who}: level again after`, performance.now() - pluggedAt)
      expect(after!.view - before!.view).toBeLessThanOrEqual(cut === primary ? 2 : 1)

      const gone = ALL.find((index) => index !== cut && index !== primaryOf(after!))!
      await cluster.kill(gone)
      await untilProgress(cluster, allBut(gone), 5, RECOVERY_MS)
      await cluster.start(gone)
      await settled(cluster, ALL)
      await expectOneLedger(cluster, ALL, load.certified)
    }, 180_000)
  }

  it('ran every transfer exactly once', () => expectExactlyOnce(cluster, ALL, load), 60_000)
})
