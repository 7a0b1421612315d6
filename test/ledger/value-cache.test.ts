import { describe, expect, it } from 'vitest'
import { createValueCache } from '../../src/ledger/value-cache.ts'

describe('value cache', () => {
  it('tells a known absence from what it does not know', () => {
    const cache = createValueCache()
    cache.set('a', null)
    cache.set('b', '1')
    expect([cache.get('a'), cache.get('b'), cache.get('c')]).toEqual([null, '1', undefined])
    cache.set('b', null)
    expect(cache.get('b')).toBeNull()
  })

  it('keeps the latest within its bound', () => {
    const cache = createValueCache(10 * 100)
    for (let n = 0; n < 100; n++) {
      cache.set(String(n).padStart(6, '0'), 'x'.repeat(30))
      cache.set('000000', 'y'.repeat(30))
    }
    const known = Array.from({ length: 100 }, (_, n) => 99 - n).filter(
      (n) => cache.get(String(n).padStart(6, '0')) !== undefined,
    )
    // Two generations of at most five entries of a hundred characters each, what is set again and again among them.
    expect(known).toEqual([99, 98, 97, 96, 95, 0])
  })

  it('keeps what is used, and gives the latest value whichever generation it is in', () => {
    const cache = createValueCache(10 * 100)
    cache.set('000000', 'first')
    for (let n = 1; n < 40; n++) {
      cache.set(String(n).padStart(6, '0'), 'x'.repeat(30))
      expect(cache.get('000000')).toBe(n < 20 ? 'first' : 'second')
      if (n === 19) cache.set('000000', 'second')
    }
  })

  it('forgets a value that became too large for it', () => {
    const cache = createValueCache()
    cache.set('a', '1')
    cache.set('a', 'x'.repeat(70_000))
    expect(cache.get('a')).toBeUndefined()
  })
})
