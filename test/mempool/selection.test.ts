// What a batch takes and in which order; what leaves the pool and what stays.
import { describe, expect, test } from 'vitest'
import { NONE_IN_FLIGHT, noncesOf, offer, poolWith, ROOM, senderOf, wireOf } from './support.ts'

const at = (sender: number, nonce: number, more = {}) => wireOf({ sender: senderOf(sender), nonce, ...more })

describe('a selection', () => {
  test('takes one of each sender before a second of any, nonces without a gap', () => {
    const { pool } = poolWith()
    for (const nonce of [0, 1, 2, 4]) offer(pool, at(1, nonce))
    for (const nonce of [0, 1]) offer(pool, at(2, nonce))
    offer(pool, at(3, 1))
    expect(noncesOf(pool.select(ROOM, NONE_IN_FLIGHT, 1))).toEqual(['1/0', '2/0', '1/1', '2/1', '1/2'])
  })

  test('lets those wait longest who were served last', () => {
    const { pool } = poolWith()
    for (const sender of [1, 2, 3]) for (const nonce of [0, 1]) offer(pool, at(sender, nonce))
    const two = { ...ROOM, transactionsMax: 2 }
    expect(noncesOf(pool.select(two, NONE_IN_FLIGHT, 1))).toEqual(['1/0', '2/0'])
    expect(noncesOf(pool.select(two, NONE_IN_FLIGHT, 1))).toEqual(['3/0', '1/0'])
  })

  test('goes on after what is in flight, and stays pending until it ran', () => {
    const { pool } = poolWith()
    for (const nonce of [0, 1, 2]) offer(pool, at(1, nonce))
    const twoInFlight = () => 2
    expect(noncesOf(pool.select(ROOM, twoInFlight, 1))).toEqual(['1/2'])
    expect(pool.hasExecutable(twoInFlight)).toBe(true)
    expect(pool.hasExecutable(() => 3)).toBe(false)
    expect(pool.select(ROOM, () => 3, 1)).toEqual([])
    expect(pool.size().count).toBe(3)
  })

  test('keeps to bytes and gas; whoever lacked room is first next time', () => {
    const { pool } = poolWith()
    const size = at(1, 0).length
    offer(pool, at(1, 0, { gasLimit: 600 }))
    offer(pool, at(2, 0, { gasLimit: 900 }))
    offer(pool, at(3, 0, { gasLimit: 400 }))
    expect(noncesOf(pool.select({ ...ROOM, gasMax: 1_000 }, NONE_IN_FLIGHT, 1))).toEqual(['1/0', '3/0'])
    expect(noncesOf(pool.select({ ...ROOM, gasMax: 1_000 }, NONE_IN_FLIGHT, 1))).toEqual(['2/0'])
    expect(pool.select({ ...ROOM, bytesMax: 2 * size }, NONE_IN_FLIGHT, 1)).toHaveLength(2)
  })

  test('a nearly full batch looks at a bounded number that do not fit', () => {
    const { pool } = poolWith()
    let asked = 0
    for (let sender = 1; sender <= 500; sender++) offer(pool, at(sender, 0, { gasLimit: 900 }))
    const counting = () => {
      asked++
      return 0
    }
    expect(pool.select({ ...ROOM, gasMax: 1_000 }, counting, 1)).toHaveLength(1)
    expect(asked).toBeLessThan(50)
  })

  test('leaves out what expires before, and its sender’s later ones', () => {
    const { pool } = poolWith()
    offer(pool, at(1, 0, { expires: 5 }))
    offer(pool, at(1, 1))
    expect(noncesOf(pool.select(ROOM, NONE_IN_FLIGHT, 5))).toEqual(['1/0', '1/1'])
    expect(pool.select(ROOM, NONE_IN_FLIGHT, 6)).toEqual([])
  })
})

describe('after a block', () => {
  const executed = (id: string, sender: number, nonce: number, final = true) => {
    return { id, sender: senderOf(sender), nonce, final }
  }

  test('what ran leaves, and what another transaction displaced leaves with that reason', () => {
    const { pool } = poolWith()
    const ran = offer(pool, at(1, 0))
    const displaced = offer(pool, at(2, 0))
    const next = offer(pool, at(2, 1))
    const nonces = new Map([
      [senderOf(1), 1],
      [senderOf(2), 1],
    ])
    const removed = pool.onExecuted(1, [executed(ran, 1, 0), executed('f'.repeat(64), 2, 0)], nonces)
    expect(removed.map(({ id, reason }) => [id, reason])).toEqual([
      [ran, 'EXECUTED'],
      [displaced, 'NONCE_USED'],
    ])
    expect(noncesOf(pool.select(ROOM, NONE_IN_FLIGHT, 2))).toEqual(['2/1'])
    expect(pool.has(next)).toBe(true)
  })

  test('a gap in the nonces is never final', () => {
    const { pool } = poolWith()
    const id = offer(pool, at(1, 1))
    expect(pool.onExecuted(1, [executed(id, 1, 1, false)], new Map())).toEqual([])
    offer(pool, at(1, 0))
    expect(noncesOf(pool.select(ROOM, NONE_IN_FLIGHT, 2))).toEqual(['1/0', '1/1'])
  })

  test('what expired leaves, block by block and after a jump', () => {
    const { pool } = poolWith()
    const five = offer(pool, at(1, 0, { expires: 5 }))
    const six = offer(pool, at(2, 0, { expires: 6 }))
    const later = offer(pool, at(3, 0, { expires: 900 }))
    expect(pool.onExecuted(4, [], new Map())).toEqual([])
    expect(pool.onExecuted(5, [], new Map())).toMatchObject([{ id: five, reason: 'EXPIRED' }])
    expect(pool.onExecuted(800, [], new Map())).toMatchObject([{ id: six, reason: 'EXPIRED' }])
    expect(pool.onExecuted(900, [], new Map())).toMatchObject([{ id: later, reason: 'EXPIRED' }])
    expect(pool.size()).toEqual({ count: 0, bytes: 0 })
  })

  test('one skipped as expired leaves without using its nonce', () => {
    const { pool } = poolWith()
    const id = offer(pool, at(1, 0, { expires: 3 }))
    expect(pool.onExecuted(4, [executed(id, 1, 0)], new Map())).toMatchObject([{ id, reason: 'EXPIRED' }])
    expect(pool.pendingNonce(senderOf(1))).toBe(0)
  })

  test('lower parameters put out what no batch may hold any more', () => {
    const { pool, setParameters } = poolWith()
    const dear = offer(pool, at(1, 0, { gasLimit: 5_000 }))
    offer(pool, at(2, 0))
    setParameters({ transactionGasMax: 4_999 })
    expect(pool.onExecuted(1, [], new Map())).toMatchObject([{ id: dear, reason: 'PARAMETERS' }])
    expect(pool.size().count).toBe(1)
  })
})

describe('sending again', () => {
  test('1 s after admission, then 2, 4, 8 and every 8 s, only what came in here, until it ran', () => {
    const { pool } = poolWith()
    offer(pool, at(1, 0), 'local', 10_000)
    offer(pool, at(2, 0), 'peer', 10_000)
    const times: number[] = []
    for (let now = 10_000; now <= 50_000; now += 500) if (pool.due(now).length > 0) times.push(now)
    expect(times).toEqual([11_000, 13_000, 17_000, 25_000, 33_000, 41_000, 49_000])
    expect(noncesOf(pool.local())).toEqual(['1/0'])
    pool.onExecuted(1, [], new Map([[senderOf(1), 1]]))
    expect(pool.due(1_000_000)).toEqual([])
    expect(pool.local()).toEqual([])
  })

  test('is of a bounded number of bytes at a time, and of the rest the next time', () => {
    const { pool } = poolWith()
    const large = { args: new Uint8Array(500_000), gasLimit: 1_000_000 }
    for (let sender = 1; sender <= 8; sender++) offer(pool, at(sender, 0, large), 'local', 0)
    expect([1_000, 1_001, 1_002].map((now) => pool.due(now).length)).toEqual([5, 3, 0])
  })

  test('what gossip brought first is resent once a client hands it in here', () => {
    const { pool } = poolWith()
    offer(pool, at(1, 0), 'peer', 0)
    offer(pool, at(1, 0), 'local', 0)
    offer(pool, at(1, 0), 'local', 900)
    expect(pool.due(1_000)).toHaveLength(1)
    expect(pool.due(1_000)).toEqual([])
  })
})
