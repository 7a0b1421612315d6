// Censorship: every validator waits with a real pool, and a primary that orders everything but one sender's transactions is replaced.
import { describe, expect, it } from 'vitest'
import { primaryOf } from '../../src/consensus/proposer.ts'
import { transactionId } from '../../src/crypto/digest.ts'
import { GRACE_MS, PASSED_OVER_BLOCKS } from '../../src/mempool/complaint.ts'
import type { Batch } from '../../src/types/block.ts'
import { decodeTransaction, type Transaction } from '../../src/types/transaction.ts'
import { NONE_IN_FLIGHT, offer, poolWith, ROOM, senderOf, wireOf } from '../mempool/support.ts'
import { changeEvent, changeOf, newViewEvent, suspectOf } from '../replica/world.ts'
import { Cluster, keyOf } from './cluster.ts'
import { Solo } from './solo.ts'

const VICTIM = senderOf(99)
const ROUND_MS = 200

/** A network whose nodes propose from, and complain by, pools of their own. `holders` were sent the victim's transaction. */
function network(holders: number[], isTaken: (primary: number, transaction: Transaction) => boolean) {
  const cluster = new Cluster(4)
  const pools = cluster.cores.map(() => poolWith())
  const fed = cluster.cores.map(() => 0)
  let offered = 0

  const giveAll = (wire: Uint8Array, to: number[]) => {
    for (const index of to) offer(pools[index]!.pool, wire, index === holders[0] ? 'local' : 'peer', cluster.now)
  }
  /** What the node's pool hears of the blocks its core has executed since. */
  function feed(index: number): void {
    const { pool, nonces } = pools[index]!
    const { batches } = cluster.disks[index]!
    const { view } = cluster.cores[index]!.state
    for (; fed[index]! < batches.length; fed[index]!++) {
      const { txs, proposer } = batches[fed[index]!]!
      const executed = txs.map(decodeTransaction).map(({ unsigned, sender, nonce }) => ({
        id: transactionId(unsigned),
        sender,
        nonce,
        final: true,
      }))
      for (const { sender, nonce } of executed) nonces.set(sender, nonce + 1)
      const height = fed[index]! + 1
      const passing = { height, view, proposedAt: cluster.now, now: cluster.now }
      const isOfPrimary = proposer === keyOf(primaryOf(cluster.epoch, view))
      pool.onExecuted(
        height,
        executed,
        new Map(executed.map((one) => [one.sender, one.nonce + 1])),
        isOfPrimary ? passing : undefined,
      )
    }
  }
  function round(): void {
    giveAll(wireOf({ sender: senderOf(1_000 + offered++) }), [0, 1, 2, 3])
    for (const [index, core] of cluster.cores.entries()) {
      const { view, active } = core!.state
      if (!active || primaryOf(cluster.epoch, view) !== index) continue
      const taken = pools[index]!.pool.select(ROOM, NONE_IN_FLIGHT, core!.state.lastExec + 1)
      const txs = taken.filter((transaction) => isTaken(index, transaction)).map(({ wire }) => wire)
      const batch: Batch = { view, proposer: keyOf(index), time: cluster.now, txs }
      cluster.propose(index, batch)
    }
    cluster.settle()
    for (const index of cluster.cores.keys()) feed(index)
    cluster.now += ROUND_MS
    for (const index of cluster.cores.keys()) {
      const { pool } = pools[index]!
      const [now, at] = [cluster.now, cluster.now]
      const hasWork = pool.hasExecutable(NONE_IN_FLIGHT)
      cluster.step(index, { type: 'tick', now, at, hasWork, passedOverIn: pool.passedOverIn() })
    }
    cluster.settle()
  }
  giveAll(wireOf({ sender: VICTIM }), holders)
  const hasRun = () => pools.every(({ nonces }) => nonces.get(VICTIM) === 1)
  const views = () => cluster.cores.map((core) => core!.state.view)
  return { cluster, round, hasRun, views }
}
const graceRounds = GRACE_MS / ROUND_MS

describe('a primary that never takes one sender’s transactions', () => {
  it('is replaced, and the next one takes them', () => {
    const { round, hasRun, views, cluster } = network(
      [0, 1, 2, 3],
      (primary, { sender }) => primary !== 0 || sender !== VICTIM,
    )
    let rounds = 0
    for (; !hasRun() && rounds < 300; rounds++) round()
    // Twice the clock: first everyone has it sent again, then everyone complains.
    expect(rounds).toBeGreaterThan(2 * PASSED_OVER_BLOCKS + graceRounds)
    expect(rounds).toBeLessThan(2 * (PASSED_OVER_BLOCKS + graceRounds) + 20)
    expect(views()).toEqual([1, 1, 1, 1])
    for (let after = 0; after < 100; after++) round()
    expect(views()).toEqual([1, 1, 1, 1])
    expect(Math.min(...cluster.heights())).toBeGreaterThan(100)
  })

  it('stays when nobody is left out, and when only one validator says so', () => {
    const fair = network([0, 1, 2, 3], () => true)
    const alone = network([2], () => true)
    for (let rounds = 0; rounds < 150; rounds++) {
      fair.round()
      alone.round()
    }
    expect([fair.views(), fair.hasRun()]).toEqual([[0, 0, 0, 0], true])
    expect([alone.views(), alone.hasRun()]).toEqual([[0, 0, 0, 0], false])
  })
})

describe('a complaint', () => {
  const tick = (solo: Solo, passedOverIn: number | undefined, ms = 100) => {
    solo.at += ms
    solo.step({ type: 'tick', now: 10_000 + solo.at, at: solo.at, hasWork: false, passedOverIn })
  }

  it('is a SUSPECT each second while it lasts, and none after', () => {
    const solo = new Solo()
    tick(solo, 0)
    expect(solo.of('suspect').map(({ vote }) => vote.body.view)).toEqual([0])
    for (let count = 0; count < 30; count++) tick(solo, 0)
    expect(solo.of('suspect')).toHaveLength(4)
    for (let count = 0; count < 30; count++) tick(solo, undefined)
    expect(solo.of('suspect')).toHaveLength(4)
  })

  it('is about its own view only', () => {
    const solo = new Solo()
    tick(solo, 1)
    expect(solo.of('suspect')).toEqual([])
    const changes = [0, 1, 2].map((signer) => changeOf(signer, 1))
    solo.step(suspectOf(0, 0), suspectOf(1, 0), ...changes.map(changeEvent), newViewEvent(1, changes))
    solo.forget()
    tick(solo, 0)
    expect([solo.view(), solo.of('suspect')]).toEqual(['1', []])
  })

  it('does not end with progress, and ends nothing that is proven', () => {
    const solo = new Solo({ parameters: { progressTimeoutMs: 500 } })
    for (let count = 0; count < 6; count++) solo.tick(100, true)
    expect(solo.core.state.suspicion?.cause).toBe('progress')
    tick(solo, 0)
    expect(solo.core.state.suspicion?.cause).toBe('complaint')
    tick(solo, undefined)
    expect(solo.core.state.suspicion).toBeUndefined()
    const state = solo.core.state as { suspicion: unknown }
    state.suspicion = { view: 0, cause: 'proof', sentAt: solo.at }
    tick(solo, 0)
    tick(solo, undefined)
    expect(solo.core.state.suspicion?.cause).toBe('proof')
  })
})
