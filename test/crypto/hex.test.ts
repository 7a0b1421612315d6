import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compareBytes, equalBytes, fromHex, toHex } from '../../src/crypto/hex.ts'

const bytes = fc.uint8Array({ maxLength: 40 })

describe('hexadecimal', () => {
  test('is what Buffer says', () => {
    fc.assert(
      fc.property(bytes, (value) => {
        expect(toHex(value)).toBe(Buffer.from(value).toString('hex'))
      }),
    )
  })

  test('returns as the same bytes', () => {
    fc.assert(
      fc.property(bytes, (value) => {
        expect(fromHex(toHex(value))).toEqual(value)
      }),
    )
  })

  test('has sixteen digits and no other', () => {
    const digits = Array.from({ length: 1000 }, (_, code) => String.fromCharCode(code)).filter((character) => {
      try {
        return fromHex(`0${character}`).length === fromHex(`${character}0`).length
      } catch {
        return false
      }
    })
    expect(digits.join('')).toBe('0123456789abcdef')
  })

  test.each([
    ['abc', 'even number'],
    ['0G', 'got 0G'],
    ['AB', 'lower-case hexadecimal digits, got AB'],
    ['0x12', 'got 0x'],
    [' 1', 'got  1'],
  ])('%j is refused with a reason', (text, reason) => {
    expect(() => fromHex(text)).toThrow(reason)
  })
})

describe('comparison', () => {
  test('is what Buffer says', () => {
    const near = fc.uint8Array({ maxLength: 4, max: 2 })
    fc.assert(
      fc.property(near, near, (a, b) => {
        expect(Math.sign(compareBytes(a, b))).toBe(Buffer.compare(a, b))
        expect(equalBytes(a, b)).toBe(Buffer.compare(a, b) === 0)
      }),
      { numRuns: 500 },
    )
  })

  test('is unsigned', () => {
    expect(compareBytes(Uint8Array.of(0x7f), Uint8Array.of(0x80))).toBeLessThan(0)
  })
})
