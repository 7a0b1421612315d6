// Complaints over the pool's own bookkeeping: an honest primary is never accused, one that leaves a sender out is.
import { describe, expect, it } from 'vitest'
import { transactionId } from '../../src/crypto/digest.ts'
import { GRACE_MS, PASSED_OVER_BLOCKS } from '../../src/mempool/complaint.ts'
import type { Mempool } from '../../src/mempool/mempool.ts'
import type { Transaction } from '../../src/types/transaction.ts'
import { NONE_IN_FLIGHT, offer, poolWith, senderOf, wireOf } from './support.ts'

const VICTIM = senderOf(99)
const BLOCK_MS = 100

/** One validator's pool, time, and the blocks of a primary that takes what it likes from a pool of its own. */
function world(limits: Parameters<typeof poolWith>[0] = {}) {
  const { pool, nonces, banned, setParameters } = poolWith(limits)
  const primary = poolWith(limits).pool
  const at = { now: 1_000, height: 0, view: 0 }
  let offered = 0

  function give(fields: Parameters<typeof wireOf>[0], pools: Mempool[] = [pool, primary], source = 'peer'): void {
    const wire = wireOf(fields)
    for (const one of pools) offer(one, wire, source, at.now, at.height)
  }
  /** Something new to put into a block, of a sender of its own. */
  const giveOther = (pools?: Mempool[]) => give({ sender: senderOf(1_000 + offered++) }, pools)

  function execute(taken: Transaction[], proposedAt = at.now): void {
    at.height++
    const executed = taken.map((one) => ({ id: transactionId(one.unsigned), ...nonceOf(one), final: true }))
    const next = new Map(taken.map(({ sender, nonce }) => [sender, nonce + 1]))
    for (const [sender, nonce] of next) nonces.set(sender, nonce)
    const { now, height, view } = at
    for (const one of [pool, primary]) one.onExecuted(height, executed, next, { height, view, now, proposedAt })
  }
  function propose(isTaken: (transaction: Transaction) => boolean, transactionsMax = 1_000): void {
    const room = { transactionsMax, bytesMax: 2 ** 21, gasMax: 2 ** 30 }
    execute(primary.select(room, NONE_IN_FLIGHT, at.height + 1).filter(isTaken))
    at.now += BLOCK_MS
  }
  /** Blocks with one other sender's transaction each, until the pool complains; gives how many it took. */
  function untilComplaint(isTaken: (transaction: Transaction) => boolean, most = 400): number {
    for (let count = 1; count <= most; count++) {
      giveOther()
      propose(isTaken)
      if (pool.passedOverIn() !== undefined) return count
    }
    return Number.POSITIVE_INFINITY
  }
  return { pool, primary, at, banned, setParameters, give, giveOther, execute, propose, untilComplaint }
}
const nonceOf = ({ sender, nonce }: Transaction) => ({ sender, nonce })
const leavingOut = ({ sender }: Transaction) => sender !== VICTIM
const everything = () => true
const blocksIn = (ms: number) => ms / BLOCK_MS

describe('a primary that never takes one sender’s transaction', () => {
  it('is complained about by the node that admitted it: after a grace, and as many blocks', () => {
    const { give, pool, untilComplaint } = world()
    give({ sender: VICTIM }, undefined, 'local')
    expect(untilComplaint(leavingOut)).toBe(blocksIn(GRACE_MS) + PASSED_OVER_BLOCKS)
    expect(pool.passedOverIn()).toBe(0)
  })

  it('is complained about by everyone else once they have sent it themselves, and as many blocks again', () => {
    const { give, pool, at, untilComplaint } = world()
    give({ sender: VICTIM })
    expect(pool.local()).toEqual([])
    const first = blocksIn(GRACE_MS) + PASSED_OVER_BLOCKS
    expect(untilComplaint(leavingOut, first)).toBe(Number.POSITIVE_INFINITY)
    expect(pool.local().map(({ sender }) => sender)).toEqual([VICTIM])
    expect(pool.due(at.now + 1_000).map(({ sender }) => sender)).toEqual([VICTIM])
    // The block that made it ask the others to hear of it again was proposed a block's time before the clock starts anew.
    expect(untilComplaint(leavingOut)).toBe(first - 1)
  })

  it('is complained about for full blocks too, when they hold what came later', () => {
    const { give, giveOther, at, propose, pool, setParameters } = world()
    setParameters({ blockTransactionsMax: 2 })
    give({ sender: VICTIM }, undefined, 'local')
    at.now += GRACE_MS
    for (let count = 0; count < PASSED_OVER_BLOCKS; count++) {
      expect(pool.passedOverIn()).toBeUndefined()
      giveOther()
      giveOther()
      propose(leavingOut)
    }
    expect(pool.passedOverIn()).toBe(0)
  })

  it('is complained about for full blocks of what nobody else was shown', () => {
    const { give, giveOther, at, propose, pool, primary, setParameters } = world()
    setParameters({ blockTransactionsMax: 1 })
    give({ sender: VICTIM }, undefined, 'local')
    at.now += GRACE_MS
    for (let count = 0; count < PASSED_OVER_BLOCKS; count++) {
      giveOther([primary])
      propose(leavingOut)
    }
    expect(pool.passedOverIn()).toBe(0)
  })

  it('is complained about no more once it took it', () => {
    const { give, pool, propose, untilComplaint } = world()
    give({ sender: VICTIM }, undefined, 'local')
    untilComplaint(leavingOut)
    propose(everything)
    expect(pool.passedOverIn()).toBeUndefined()
  })

  it('is forgotten with its view: the next primary gets the same time', () => {
    const { give, at, untilComplaint, pool, giveOther, propose } = world()
    give({ sender: VICTIM }, undefined, 'local')
    untilComplaint(leavingOut)
    at.view = 1
    giveOther()
    propose(leavingOut)
    expect(pool.passedOverIn()).toBeUndefined()
    expect(untilComplaint(leavingOut)).toBe(blocksIn(GRACE_MS) + PASSED_OVER_BLOCKS - 1)
    expect(pool.passedOverIn()).toBe(1)
  })
})

describe('nobody is complained about', () => {
  it('by an honest primary’s backlog, however long one waits in it', () => {
    const { give, giveOther, propose, pool, setParameters } = world()
    setParameters({ blockTransactionsMax: 2 })
    for (let count = 0; count < 300; count++) giveOther()
    give({ sender: VICTIM }, undefined, 'local')
    for (let block = 0; block < 150; block++) {
      giveOther()
      propose(everything, 2)
      expect(pool.passedOverIn()).toBeUndefined()
    }
  })

  it.each([
    ['that waits for a nonce', { nonce: 1 }],
    ['that expires soon', { expires: 25 }],
    ['too large for what room the blocks have', { args: new Uint8Array(800) }],
  ])('for a transaction %s', (_, fields) => {
    const { give, giveOther, at, propose, pool, setParameters } = world()
    setParameters({ blockBytesMax: 1_000, windowBlocks: 10 })
    for (let count = 0; count < 100; count++) giveOther()
    give({ sender: VICTIM, ...fields }, undefined, 'local')
    expect(pool.size().count).toBe(101)
    at.now += GRACE_MS
    for (let block = 0; block < 50; block++) {
      propose(leavingOut, 2)
      expect(pool.passedOverIn()).toBeUndefined()
    }
  })

  it('for a sender who may not transact any more', () => {
    const { give, banned, untilComplaint } = world()
    give({ sender: VICTIM }, undefined, 'local')
    untilComplaint(leavingOut)
    banned.add(VICTIM)
    expect(untilComplaint(leavingOut)).toBe(Number.POSITIVE_INFINITY)
  })

  it('while the pool is more than half full: another one may have had no room', () => {
    const { give, at, untilComplaint } = world({ transactionsMax: 10 })
    for (let sender = 1; sender <= 5; sender++) give({ sender: senderOf(sender), nonce: 1 })
    give({ sender: VICTIM }, undefined, 'local')
    at.now += GRACE_MS
    expect(untilComplaint(leavingOut)).toBe(Number.POSITIVE_INFINITY)
  })

  it('for blocks proposed before anyone could have it, as one who catches up executes them', () => {
    const { give, at, execute, pool } = world()
    give({ sender: VICTIM }, undefined, 'local')
    at.now += 10 * GRACE_MS
    for (let count = 0; count < 100; count++) execute([], 1_000 + GRACE_MS - 1)
    expect(pool.passedOverIn()).toBeUndefined()
    for (let count = 0; count < PASSED_OVER_BLOCKS; count++) execute([], 1_000 + GRACE_MS)
    expect(pool.passedOverIn()).toBe(0)
  })
})
