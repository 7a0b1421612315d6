import { bech32, bech32m } from '@scure/base'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { addressOf, isAddress, parseAddress } from '../../src/crypto/address.ts'
import { fromHex } from '../../src/crypto/hex.ts'

const publicKey = fromHex('d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a')
const address = 'qr16adfsqvzky9t042tlmfujeq88g8wzuhnm2nzxfd0qgdx3ac82ydqpqs3y2'
const letters = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l'
const anyKey = fc.uint8Array({ minLength: 32, maxLength: 32 })

test('the address of a known key is pinned', () => {
  expect(addressOf(publicKey)).toBe(address)
  expect(parseAddress(address)).toEqual(publicKey)
})

test('an address returns as its key', () => {
  fc.assert(
    fc.property(anyKey, (key) => {
      expect(parseAddress(addressOf(key))).toEqual(key)
    }),
  )
})

test('one or two mistyped characters are always noticed', () => {
  const typo = fc.tuple(fc.integer({ min: 3, max: address.length - 1 }), fc.integer({ min: 1, max: 31 }))
  fc.assert(
    fc.property(anyKey, typo, typo, (key, first, second) => {
      const right = addressOf(key)
      const wrong = mistype(mistype(right, first), second)
      if (wrong !== right) expect(parseAddress(wrong)).toBeUndefined()
    }),
    { numRuns: 500 },
  )
})

test.each([
  ['empty text', ''],
  ['upper case', address.toUpperCase()],
  ['mixed case', address.replace('a', 'A')],
  ['another prefix', bech32m.encodeFromBytes('qx', publicKey)],
  ['a longer prefix that ends the same', bech32m.encodeFromBytes('xqr', publicKey)],
  ['the older checksum', bech32.encodeFromBytes('qr', publicKey)],
  ['31 bytes', bech32m.encodeFromBytes('qr', publicKey.subarray(1))],
  ['33 bytes', bech32m.encodeFromBytes('qr', Uint8Array.of(...publicKey, 0))],
  ['a word too many', bech32m.encode('qr', [...bech32m.toWords(publicKey), 0])],
  ['padding that is not zero', bech32m.encode('qr', withPadding(1))],
  ['other padding that is not zero', bech32m.encode('qr', withPadding(8))],
  ['a space before', ` ${address}`],
  ['a line end after', `${address}\n`],
  ['very long text', 'qr1'.padEnd(100_000, 'q')],
])('%s is no address', (_, text) => {
  expect(isAddress(text)).toBe(false)
})

test('what is not even text is no address', () => {
  for (const value of [undefined, null, 7, {}, [address]]) expect(isAddress(value as unknown as string)).toBe(false)
})

test('only 32 bytes have an address', () => {
  expect(() => addressOf(new Uint8Array(31))).toThrow('32-byte public key, but 31 bytes came')
})

function mistype(text: string, [position, shift]: readonly [number, number]): string {
  const letter = letters[(letters.indexOf(text[position]!) + shift) % 32]
  return text.slice(0, position) + letter + text.slice(position + 1)
}

/** 256 bits fill 51 words and one bit of the last, whose other four bits must be zero. */
function withPadding(bits: number): number[] {
  const words = bech32m.toWords(publicKey)
  words[51]! |= bits
  return words
}
