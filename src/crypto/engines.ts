/**
 * Native Ed25519: libsodium through `sodium-native`, and OpenSSL through `node:crypto`. Both sign as RFC 8032 says, byte for
 * byte. Both verify more strictly than ZIP-215: S < L, the same hashed bytes, and the equation with the cofactor or without it,
 * where the one without implies the one with. So what they accept is valid, and what they do not accept is undecided.
 */
import { createPrivateKey, createPublicKey, sign, verify } from 'node:crypto'
import { createRequire } from 'node:module'
import { publicKeyBytes, publicKeyOf, seedBytes, signatureBytes } from './ed25519.ts'

export interface KeyPair {
  readonly publicKey: Uint8Array
  sign(message: Uint8Array): Uint8Array
}

export interface Engine {
  readonly name: 'sodium' | 'node'
  createKeyPair(seed: Uint8Array): KeyPair
  /** True: valid under ZIP-215. False: undecided. Lengths must be right already. */
  accepts(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean
}

/** The part of `sodium-native` used here; the package brings no types. */
interface Sodium {
  crypto_sign_seed_keypair(publicKey: Uint8Array, secretKey: Uint8Array, seed: Uint8Array): void
  crypto_sign_detached(signature: Uint8Array, message: Uint8Array, secretKey: Uint8Array): void
  crypto_sign_verify_detached(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean
}

/** libsodium, or undefined on a platform that has no build of it. */
export function loadSodiumEngine(): Engine | undefined {
  let sodium: Sodium
  try {
    sodium = createRequire(import.meta.url)('sodium-native') as Sodium
  } catch {
    return undefined
  }
  return {
    name: 'sodium',
    createKeyPair(seed) {
      const publicKey = new Uint8Array(publicKeyBytes)
      const secretKey = new Uint8Array(seedBytes + publicKeyBytes)
      sodium.crypto_sign_seed_keypair(publicKey, secretKey, seed)
      const signMessage = (message: Uint8Array) => {
        const signature = new Uint8Array(signatureBytes)
        sodium.crypto_sign_detached(signature, message, secretKey)
        return signature
      }
      return { publicKey, sign: signMessage }
    },
    accepts: (publicKey, message, signature) => sodium.crypto_sign_verify_detached(signature, message, publicKey),
  }
}

// RFC 8410: the fixed DER bytes before a raw Ed25519 private key (PKCS #8) and public key (SPKI).
const privateKeyPrefix = Uint8Array.of(0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20)
const publicKeyPrefix = Uint8Array.of(0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0)

/** OpenSSL, as built into Node. */
export function createNodeEngine(): Engine {
  return {
    name: 'node',
    createKeyPair(seed) {
      const key = createPrivateKey({ key: Buffer.concat([privateKeyPrefix, seed]), format: 'der', type: 'pkcs8' })
      const signMessage = (message: Uint8Array) => new Uint8Array(sign(null, message, key))
      return { publicKey: publicKeyOf(seed), sign: signMessage }
    },
    accepts(publicKey, message, signature) {
      const der = Buffer.concat([publicKeyPrefix, publicKey])
      return verify(null, message, createPublicKey({ key: der, format: 'der', type: 'spki' }), signature)
    },
  }
}
