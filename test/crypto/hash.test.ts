import { sha256 as sha256Portable } from '@noble/hashes/sha2.js'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { sha256 } from '../../src/crypto/hash.ts'
import { toHex } from '../../src/crypto/hex.ts'

test.each([
  ['', 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
  ['abc', 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'],
  [
    'abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq',
    '248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1',
  ],
])('FIPS 180-4 example %j', (text, digest) => {
  expect(toHex(sha256(new TextEncoder().encode(text)))).toBe(digest)
})

test('native and portable code agree', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 500 }), (bytes) => {
      expect(sha256(bytes)).toEqual(sha256Portable(bytes))
    }),
  )
})

test('the digest is a plain Uint8Array that later digests leave alone', () => {
  const first = sha256(Uint8Array.of(1))
  const text = toHex(first)
  sha256(Uint8Array.of(2))
  expect(Object.getPrototypeOf(first)).toBe(Uint8Array.prototype)
  expect(toHex(first)).toBe(text)
})
