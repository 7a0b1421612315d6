// Which transactions are taken, and the code and evidence of each refusal.
import { describe, expect, test } from 'vitest'
import { decodeTransaction } from '../../src/types/transaction.ts'
import { NETWORK, offer, poolWith, senderOf, wireOf } from './support.ts'

function refusalOf(wire: Uint8Array, { pool } = poolWith(), height = 0) {
  const checked = pool.check(wire, height)
  if (checked.ok) throw new Error('the transaction was taken')
  return checked
}

describe('what is refused before the signature is looked at', () => {
  test('bytes that are no transaction, or name no handler', () => {
    const noId = refusalOf(new Uint8Array([1, 2, 3]))
    expect(noId.code).toBe('MALFORMED')
    expect(noId.id).toBeUndefined()
    expect(refusalOf(wireOf({ contract: 'Token' })).code).toBe('MALFORMED')
    expect(refusalOf(wireOf({ method: '' })).code).toBe('MALFORMED')
  })

  test('another network, and the message names both', () => {
    const refusal = refusalOf(wireOf({ network: 'cd'.repeat(32) }))
    expect(refusal.code).toBe('WRONG_NETWORK')
    expect(refusal.message).toContain(NETWORK)
    expect(refusal.message).toContain('cd'.repeat(32))
    expect(refusal.id).toMatch(/^[0-9a-f]{64}$/)
  })

  test('expiry: a transaction may run up to its last height, that one included', () => {
    expect(poolWith().pool.check(wireOf({ expires: 11 }), 10).ok).toBe(true)
    expect(refusalOf(wireOf({ expires: 10 }), poolWith(), 10).code).toBe('EXPIRED')
    expect(poolWith().pool.check(wireOf({ expires: 0 }), 10).ok).toBe(true)
  })

  test('gas limits under the cost of the bytes or over the bound', () => {
    const bytes = wireOf({ gasLimit: 200 }).length
    expect(refusalOf(wireOf({ gasLimit: bytes - 1 })).code).toBe('GAS_LIMIT')
    expect(poolWith().pool.check(wireOf({ gasLimit: bytes }), 0).ok).toBe(true)
    expect(poolWith().pool.check(wireOf({ gasLimit: 100_000_000 }), 0).ok).toBe(true)
    expect(refusalOf(wireOf({ gasLimit: 300_000_001 })).code).toBe('GAS_LIMIT')
  })

  test('nonces used and too far ahead', () => {
    const state = poolWith({ nonceAheadMax: 4 })
    state.nonces.set(senderOf(1), 7)
    expect(refusalOf(wireOf({ nonce: 6 }), state).code).toBe('NONCE_USED')
    expect(state.pool.check(wireOf({ nonce: 10 }), 0).ok).toBe(true)
    expect(refusalOf(wireOf({ nonce: 11 }), state).code).toBe('NONCE_TOO_FAR')
  })

  test('senders without the right, and sizes over the bound', () => {
    const state = poolWith()
    state.banned.add(senderOf(1))
    expect(refusalOf(wireOf({}), state).code).toBe('NOT_ALLOWED')
    expect(refusalOf(new Uint8Array(512 * 1024 + 1)).code).toBe('TOO_LARGE')
  })
})

describe('one transaction per sender and nonce', () => {
  test('the first wins, and the refusal names it', () => {
    const { pool } = poolWith()
    const id = offer(pool, wireOf({ method: 'first' }))
    const second = pool.check(wireOf({ method: 'second' }), 0)
    expect(second).toMatchObject({ ok: false, code: 'NONCE_TAKEN', heldBy: id })
    expect(second).toMatchObject({ message: expect.stringContaining(id) })
  })

  test('two that were checked side by side: the second admission is refused', () => {
    const { pool } = poolWith()
    const first = pool.check(wireOf({ method: 'first' }), 0)
    const second = pool.check(wireOf({ method: 'second' }), 0)
    if (!first.ok || !second.ok) throw new Error('both should pass the checks')
    expect(pool.admit(first, 'local', 0)).toMatchObject({ ok: true, isNew: true })
    expect(pool.admit(second, 'local', 0)).toMatchObject({ ok: false, code: 'NONCE_TAKEN' })
  })

  test('a nonce used while its signature was checked is refused on admission', () => {
    const state = poolWith()
    const checked = state.pool.check(wireOf({}), 0)
    if (!checked.ok) throw new Error('it should pass the checks')
    state.nonces.set(senderOf(1), 1)
    expect(state.pool.admit(checked, 'local', 0)).toMatchObject({ ok: false, code: 'NONCE_USED' })
  })

  test('admitting what is there changes nothing and says so', () => {
    const { pool } = poolWith()
    offer(pool, wireOf({}))
    const again = pool.check(wireOf({}), 0)
    expect(again).toMatchObject({ ok: true, known: true })
    if (again.ok) expect(pool.admit(again, 'peer', 5)).toMatchObject({ ok: true, isNew: false })
    expect(pool.size().count).toBe(1)
  })
})

describe('what counts as verified', () => {
  test('only bytes that were admitted, or that a proposal added', () => {
    const { pool } = poolWith()
    const checked = pool.check(wireOf({}), 0)
    expect(checked).toMatchObject({ ok: true, known: false })
    expect(pool.check(wireOf({}), 0)).toMatchObject({ known: false })
    if (!checked.ok) return
    pool.seen.add(checked.wireHash)
    expect(pool.check(wireOf({}), 0)).toMatchObject({ known: true })
  })

  test('another signature over the same transaction is not', () => {
    const { pool } = poolWith()
    const id = offer(pool, wireOf({}, 1))
    expect(pool.check(wireOf({}, 2), 0)).toMatchObject({ ok: true, id, known: false })
    expect(offer(pool, wireOf({}, 2))).toBe(id)
    expect(pool.get(id)?.signature[0]).toBe(1)
  })

  test('is remembered for at least as many as the pool holds, and for at most twice as many', () => {
    const { pool } = poolWith({ transactionsMax: 4 })
    const hashes = Array.from({ length: 12 }, (_, index) => `hash ${index}`)
    for (const [index, hash] of hashes.entries()) {
      pool.seen.add(hash)
      for (const recent of hashes.slice(Math.max(0, index - 3), index + 1)) expect(pool.seen.has(recent)).toBe(true)
    }
    expect(hashes.filter((hash) => pool.seen.has(hash)).length).toBeLessThanOrEqual(8)
  })

  test('after it ran, its bytes are still known', () => {
    const { pool, nonces } = poolWith()
    const checked = pool.check(wireOf({}), 0)
    if (!checked.ok) throw new Error('it should pass')
    pool.admit(checked, 'local', 0)
    nonces.set(senderOf(1), 1)
    pool.onExecuted(1, [{ id: checked.id, sender: senderOf(1), nonce: 0, final: true }], new Map([[senderOf(1), 1]]))
    expect(pool.has(checked.id)).toBe(false)
    expect(pool.seen.has(checked.wireHash)).toBe(true)
  })
})

test('a pending transaction does not keep the message it came in', () => {
  const { pool } = poolWith()
  const message = new Uint8Array(100_000)
  const wire = wireOf({})
  message.set(wire, 50_000)
  const id = offer(pool, message.subarray(50_000, 50_000 + wire.length))
  expect(pool.get(id)?.wire.buffer.byteLength).toBe(wire.length)
  expect(pool.get(id)?.wire).toEqual(wire)
})

test('a pending transaction is what was admitted, in one copy of its bytes', () => {
  for (const size of [0, 1, 23, 24, 255, 256, 70_000]) {
    const { pool } = poolWith()
    const wire = wireOf({ args: new Uint8Array(size).fill(7), expires: 9, gasLimit: 100_000 })
    const kept = pool.get(offer(pool, wire))
    expect(kept).toEqual(decodeTransaction(wire))
    for (const part of [kept!.args, kept!.unsigned, kept!.signature]) expect(part.buffer).toBe(kept!.wire.buffer)
  }
})
