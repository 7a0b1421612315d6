// Wires that are slow, stall, break and part, between real processes: progress exactly when a quorum can talk, one ledger at the end.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ALL, allBut, BASE_TIMEOUT_MS, type Cluster, LONG, measured, report, sleep, until } from './cluster.ts'
import {
  expectExactlyOnce,
  expectOneLedger,
  expectStandstill,
  primaryOf,
  settled,
  statuses,
  untilNextView,
  untilProgress,
} from './ledgers.ts'
import { type Load, startUnderLoad } from './load.ts'
import { createProxies, type Proxies } from './proxies.ts'

const SPLIT_MS = LONG ? 30_000 : 10_000
const DELAYED_MS = LONG ? 30_000 : 3_000
const STALL_MS = 3_000
const RECOVERY_MS = 60_000
const GOAL = `goal: about ${2 * BASE_TIMEOUT_MS}`

describe('validators with a proxy on every wire', () => {
  let proxies: Proxies
  let cluster: Cluster
  let load: Load

  beforeAll(async () => {
    proxies = createProxies()
    // What they tell one another to dial leads nowhere, so that the proxies are the only way.
    ;({ cluster, load } = await startUnderLoad({ route: proxies.route, announce: '/ip4/127.0.0.1/tcp/1' }))
  }, 120_000)
  afterAll(async () => {
    proxies?.heal()
    await cluster?.close()
    await proxies?.close()
  }, 60_000)

  it('commit with 100 ms and 30 ms of jitter each way', async () => {
    const [before] = await settled(cluster, ALL)
    proxies.delay({ ms: 100, jitterMs: 30 })
    await untilProgress(cluster, ALL, 2)
    const tookMs = await untilProgress(cluster, ALL, 5, RECOVERY_MS)
    measured('delay: five more blocks took', tookMs)
    await sleep(DELAYED_MS)
    const [after] = await settled(cluster, ALL)
    // The base timeout is many of these delays long: a view that fails here fails for nothing.
    expect(after!.view - before!.view).toBeLessThanOrEqual(1)
    await expectOneLedger(cluster, ALL, load.certified)
  }, 120_000)

  it('commit while all wires of one stall, and take it back', async () => {
    const [before] = await settled(cluster, ALL)
    const stalled = ALL.find((index) => index !== primaryOf(before!))!
    cutOff(stalled)
    await untilProgress(cluster, allBut(stalled), 3, RECOVERY_MS)
    await sleep(STALL_MS)
    proxies.heal()
    await settled(cluster, ALL)
  }, 120_000)

  it('connect again when every connection is reset, and go on', async () => {
    for (let round = 0; round < 3; round++) {
      // Each of the four with each other one.
      await until(
        'every wire is in use',
        async () => proxies.connections(),
        (count) => count >= 6,
      )
      proxies.reset()
      measured('reset: the next block after', await untilProgress(cluster, ALL, 1, RECOVERY_MS))
    }
    await settled(cluster, ALL)
    await expectOneLedger(cluster, ALL, load.certified)
  }, 120_000)

  it('go on in the next view when nothing reaches the primary, which may still send', async () => {
    const [before] = await settled(cluster, ALL)
    const primary = primaryOf(before!)
    const cutAt = performance.now()
    for (const other of allBut(primary)) proxies.cut(other, primary)
    cluster.setReachable(primary, false)
    const resumedMs = await untilNextView(cluster, allBut(primary), before!.view, cutAt, RECOVERY_MS)
    measured('one-way cut: the next view certifies blocks after', resumedMs, GOAL)
    await untilProgress(cluster, allBut(primary), 5, RECOVERY_MS)
    const healedAt = performance.now()
    proxies.heal()
    cluster.setReachable(primary, true)
    const [after] = await settled(cluster, ALL)
    measured('one-way cut: level again after healing', performance.now() - healedAt, GOAL)
    expect(after!.view - before!.view).toBeLessThanOrEqual(3)
    await expectOneLedger(cluster, ALL, load.certified)
  }, 180_000)

  it('stand still split in two halves, and go on when it heals', async () => {
    proxies.delay(undefined)
    const [before] = await settled(cluster, ALL)
    for (const left of [0, 1]) {
      for (const right of [2, 3]) {
        proxies.cut(left, right)
        proxies.cut(right, left)
      }
    }
    await expectStandstill(cluster, ALL, SPLIT_MS)
    // Below a quorum nobody runs ahead in views (rule 28).
    for (const { view } of await statuses(cluster, ALL)) expect(view - before!.view).toBeLessThanOrEqual(2)
    const healedAt = performance.now()
    proxies.heal()
    measured('split: the first block after healing', await untilProgress(cluster, ALL, 1, RECOVERY_MS), GOAL)
    const [after] = await settled(cluster, ALL)
    measured('split: all level after healing', performance.now() - healedAt, GOAL)
    report('split: views it took', after!.view - before!.view)
    expect(after!.view - before!.view).toBeLessThanOrEqual(4)
    await expectOneLedger(cluster, ALL, load.certified)
  }, 240_000)

  it('ran every transfer exactly once', async () => {
    await until(
      'clients still get receipts',
      async () => load.certified.length,
      (count) => count > 50,
    )
    await expectExactlyOnce(cluster, ALL, load)
  }, 60_000)

  function cutOff(index: number): void {
    for (const other of allBut(index)) {
      proxies.cut(index, other)
      proxies.cut(other, index)
    }
  }
})
