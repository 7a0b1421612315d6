import { describe, expect, test } from 'vitest'
import { isSafeValidatorKey, publicKeyOf, signReference, verifyReference } from '../../src/crypto/ed25519.ts'
import { fromHex, toHex } from '../../src/crypto/hex.ts'
import edgeCases from '../vectors/ed25519-edge-cases.json' with { type: 'json' }
import signing from '../vectors/ed25519-signing.json' with { type: 'json' }
import { signatureCases, wrongVerdicts } from './vectors.ts'

describe('the reference', () => {
  test('gives ZIP-215 verdicts on every vector', () => {
    const verdicts = signatureCases.map(({ publicKey, message, signature }) =>
      verifyReference(publicKey, message, signature),
    )
    expect(wrongVerdicts(verdicts)).toEqual([])
    expect(signatureCases.length).toBeGreaterThan(350)
  })

  test.each(signing.vectors)('signs as $source', ({ seed, publicKey, message, signature }) => {
    expect(toHex(publicKeyOf(fromHex(seed)))).toBe(publicKey)
    expect(toHex(signReference(fromHex(seed), fromHex(message)))).toBe(signature)
  })
})

describe('a validator key', () => {
  test.each(signing.vectors)('may be that of $source', ({ publicKey }) => {
    expect(isSafeValidatorKey(fromHex(publicKey))).toBe(true)
  })

  test.each(edgeCases.smallOrderEncodings)('is not the small-order point %s', (encoding) => {
    expect(isSafeValidatorKey(fromHex(encoding))).toBe(false)
  })

  test('is not of mixed order', () => {
    // The key of table 6, cases 3 to 5, of "Taming the many EdDSAs".
    const mixed = fromHex('cdb267ce40c5cd45306fa5d2f29731459387dbf9eb933b7bd5aed9a765b88d4d')
    expect(isSafeValidatorKey(mixed)).toBe(false)
  })

  test('is on the curve, canonical and 32 bytes long', () => {
    const offCurve = fromHex(`02${'00'.repeat(31)}`)
    const aboveField = fromHex(`f0${'ff'.repeat(30)}7f`) // y = p + 3; y = 3 is on the curve.
    expect(isSafeValidatorKey(offCurve)).toBe(false)
    expect(isSafeValidatorKey(aboveField)).toBe(false)
    expect(isSafeValidatorKey(new Uint8Array(31))).toBe(false)
    expect(isSafeValidatorKey(new Uint8Array(0))).toBe(false)
  })
})
