import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { compareUtf8 } from '../../src/execution/utf8.ts'
import { type WriteSet, writesDigest } from '../../src/execution/writes.ts'

const hexOf = (writes: WriteSet) => Buffer.from(writesDigest(writes)).toString('hex')

it('is SHA-256 over each length, key and value', () => {
  const text = 'quorate/writes/1 7,4:a\0key-1"ö"\n7,-1:a\0key-2'
  const writes = [
    ['a\0key-1', '"ö"\n'],
    ['a\0key-2', null],
  ] as const
  expect(hexOf(writes)).toBe(createHash('sha256').update(text).digest('hex'))
})

it('differs where the writes differ', () => {
  const texts = fc.string({ unit: fc.constantFrom('0', '1', '2', ',', ':', '-', '\0', 'ö', '😀'), maxLength: 6 })
  const set = fc
    .uniqueArray(fc.tuple(texts, fc.option(texts)), { selector: ([key]) => key, maxLength: 3 })
    .map((writes) => writes.sort(([a], [b]) => compareUtf8(a, b)))
  fc.assert(
    fc.property(set, set, (one, other) => {
      expect(hexOf(one) === hexOf(other)).toBe(JSON.stringify(one) === JSON.stringify(other))
    }),
    { numRuns: 2_000 },
  )
})
