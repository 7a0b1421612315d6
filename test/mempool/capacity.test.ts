// The bounds of the pool, and what a full one gives up.
import { describe, expect, test } from 'vitest'
import { NONE_IN_FLIGHT, noncesOf, offer, poolWith, ROOM, senderOf, wireOf } from './support.ts'

const at = (sender: number, nonce: number, more = {}) => wireOf({ sender: senderOf(sender), nonce, ...more })

describe('a full pool', () => {
  test('gives up what is farthest from running', () => {
    const { pool } = poolWith({ transactionsMax: 4 })
    offer(pool, at(1, 0))
    const near = offer(pool, at(2, 1))
    const far = offer(pool, at(3, 9))
    offer(pool, at(4, 0))
    const checked = pool.check(at(5, 0), 0)
    if (!checked.ok) throw new Error('there is something to give up')
    const admission = pool.admit(checked, 'local', 0)
    expect(admission).toMatchObject({ ok: true, isNew: true, evicted: [{ id: far, reason: 'EVICTED' }] })
    expect(pool.has(near)).toBe(true)
    expect(pool.size().count).toBe(4)
  })

  test('does not send again what it gave up', () => {
    const { pool } = poolWith({ transactionsMax: 1 })
    offer(pool, at(1, 3), 'local', 0)
    offer(pool, at(2, 0), 'peer', 0)
    expect(pool.size().count).toBe(1)
    expect(pool.local()).toEqual([])
    expect(pool.due(60_000)).toEqual([])
  })

  test('takes a waiting newcomer only for one that is farther from running', () => {
    const { pool } = poolWith({ transactionsMax: 2 })
    offer(pool, at(1, 0))
    const waiting = offer(pool, at(2, 5))
    expect(offer(pool, at(3, 5))).toBe('MEMPOOL_FULL')
    expect(offer(pool, at(3, 6))).toBe('MEMPOOL_FULL')
    const nearer = offer(pool, at(3, 4))
    expect(pool.has(nearer)).toBe(true)
    expect(pool.has(waiting)).toBe(false)
  })

  test('never gives up an executable one for one that has to wait', () => {
    const { pool } = poolWith({ transactionsMax: 5 })
    for (let nonce = 0; nonce < 5; nonce++) offer(pool, at(1, nonce))
    expect(offer(pool, at(2, 1))).toBe('MEMPOOL_FULL')
    expect(pool.size().count).toBe(5)
  })

  test('all executable: the sender with the most gives up its last, until shares are even', () => {
    const { pool } = poolWith({ transactionsMax: 4 })
    const ids = [0, 1, 2, 3].map((nonce) => offer(pool, at(1, nonce)))
    expect(pool.has(offer(pool, at(2, 0)))).toBe(true)
    expect(ids.map((id) => pool.has(id))).toEqual([true, true, true, false])
    expect(pool.has(offer(pool, at(2, 1)))).toBe(true)
    expect(offer(pool, at(2, 2))).toBe('MEMPOOL_FULL')
    expect(offer(pool, at(1, 2))).toBe('MEMPOOL_FULL')
    expect(pool.pendingNonce(senderOf(1))).toBe(2)
  })

  test('is full by bytes too, and a large newcomer that would cost many leaves all as it was', () => {
    const size = at(1, 0).length
    const { pool } = poolWith({ bytesMax: 20 * size })
    for (let nonce = 0; nonce < 20; nonce++) offer(pool, at(1, nonce))
    const before = pool.select(ROOM, NONE_IN_FLIGHT, 1)
    expect(offer(pool, at(2, 0, { args: new Uint8Array(12 * size), gasLimit: 100_000 }))).toBe('MEMPOOL_FULL')
    expect(noncesOf(pool.select(ROOM, NONE_IN_FLIGHT, 1))).toEqual(noncesOf(before))
    expect(pool.size()).toEqual({ count: 20, bytes: 20 * size })
    expect(pool.has(offer(pool, at(2, 0, { args: new Uint8Array(2 * size), gasLimit: 100_000 })))).toBe(true)
    expect(pool.size().bytes).toBeLessThanOrEqual(20 * size)
  })
})

describe('shares', () => {
  test('a sender has so many, and nearer nonces push out its farthest', () => {
    const { pool } = poolWith({ perSenderMax: 3 })
    offer(pool, at(1, 1))
    offer(pool, at(1, 2))
    const farthest = offer(pool, at(1, 9))
    expect(offer(pool, at(1, 10))).toBe('MEMPOOL_FULL')
    expect(pool.has(offer(pool, at(1, 0)))).toBe(true)
    expect(pool.has(farthest)).toBe(false)
    expect(pool.pendingNonce(senderOf(1))).toBe(3)
  })

  test('a peer has so many, others and this node are not held up by it', () => {
    const { pool } = poolWith({ perPeerMax: 2 })
    offer(pool, at(1, 0), 'peer')
    offer(pool, at(2, 0), 'peer')
    expect(offer(pool, at(3, 0), 'peer')).toBe('MEMPOOL_FULL')
    expect(pool.has(offer(pool, at(3, 0), 'other'))).toBe(true)
    expect(pool.has(offer(pool, at(4, 0), 'local'))).toBe(true)
    pool.onExecuted(1, [], new Map([[senderOf(1), 1]]))
    expect(pool.has(offer(pool, at(5, 0), 'peer'))).toBe(true)
  })
})
