/**
 * Ed25519 (RFC 8032) with the verification rule of ZIP-215, in portable code. This file is the reference: libraries differ on
 * edge cases, every validator must not, so whatever verifies faster elsewhere has to agree with `verifyReference`.
 */
import { getPublicKey, hashes, Point, sign, verify } from '@noble/ed25519'
import { sha512 } from '@noble/hashes/sha2.js'

// The synchronous half of the library needs a synchronous SHA-512, which it does not bring itself.
hashes.sha512 = sha512

export const seedBytes = 32
export const publicKeyBytes = 32
export const signatureBytes = 64

/** Whether ZIP-215 accepts the signature. Never throws: bytes of a wrong length are simply not a signature. */
export function verifyReference(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.length !== publicKeyBytes || signature.length !== signatureBytes) return false
  try {
    return verify(signature, message, publicKey, { zip215: true })
  } catch {
    return false
  }
}

/** The public key of a 32-byte RFC 8032 seed. */
export function publicKeyOf(seed: Uint8Array): Uint8Array {
  return getPublicKey(seed)
}

/** The deterministic RFC 8032 signature. */
export function signReference(seed: Uint8Array, message: Uint8Array): Uint8Array {
  return sign(message, seed)
}

/**
 * Whether the key may stand for a validator: canonically encoded, on the curve, not of small order and free of torsion.
 * Under such a key no message has a signature that verifies for everyone, and the key has exactly one encoding.
 */
export function isSafeValidatorKey(publicKey: Uint8Array): boolean {
  if (publicKey.length !== publicKeyBytes) return false
  try {
    const point = Point.fromBytes(publicKey, false)
    return !point.isSmallOrder() && point.isTorsionFree()
  } catch {
    return false
  }
}
