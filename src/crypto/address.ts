/** Account addresses: bech32m (BIP-350) of the 32-byte Ed25519 public key with prefix `qr`, so that a mistyped one fails its checksum. */
import { bech32m } from '@scure/base'
import { publicKeyBytes } from './ed25519.ts'

const prefix = 'qr'
const addressPattern = /^qr1[02-9ac-hj-np-z]{58}$/

/** The address of a public key. */
export function addressOf(publicKey: Uint8Array): string {
  if (publicKey.length !== publicKeyBytes) {
    throw new RangeError(
      `An address is made of a ${publicKeyBytes}-byte public key, but ${publicKey.length} bytes came.`,
    )
  }
  return bech32m.encodeFromBytes(prefix, publicKey)
}

/** The public key of an address; undefined where the text is not one, so each public key has exactly one address. */
export function parseAddress(text: string): Uint8Array | undefined {
  // BIP-350 allows all-upper-case text as well; one spelling per address keeps addresses comparable as text.
  if (typeof text !== 'string' || !addressPattern.test(text)) return undefined
  const decoded = bech32m.decodeUnsafe(text)
  if (decoded === undefined) return undefined
  // Undefined as well where the four padding bits are not zero.
  return bech32m.fromWordsUnsafe(decoded.words) ?? undefined
}

export function isAddress(text: string): boolean {
  return parseAddress(text) !== undefined
}
