// Signatures in the simulator: a keyed hash by default, because a run checks thousands of them; real Ed25519 for some seeds. Nobody
// forges here by breaking the scheme: wrappers of faulty nodes only ever sign with their own nodes' keys.
import { sha256 } from '../crypto/hash.ts'
import { createKeyPair, verify as verifyEd25519 } from '../crypto/signer.ts'
import type { SignedItem, Verdict, Verifier } from '../crypto/verifier.ts'
import { toHex } from '../types/hex.ts'
import { createFingerprint } from './fingerprint.ts'

export interface Key {
  /** In hexadecimal. */
  publicKey: string
  sign(bytes: Uint8Array): Uint8Array
}

export interface Scheme {
  key(label: string): Key
  verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean
}

const encoder = new TextEncoder()

export function createScheme(isReal: boolean): Scheme {
  return isReal ? { key: realKey, verify: verifyEd25519 } : { key: stubKey, verify: verifyStub }
}

function realKey(label: string): Key {
  const pair = createKeyPair(sha256(encoder.encode(label)))
  return { publicKey: toHex(pair.publicKey), sign: pair.sign }
}

function stubKey(label: string): Key {
  const publicKey = sha256(encoder.encode(`key ${label}`))
  return { publicKey: toHex(publicKey), sign: (bytes) => stubSignature(publicKey, bytes) }
}

/** 64 bytes that depend on every bit of the key and of the message. */
function stubSignature(publicKey: Uint8Array, message: Uint8Array): Uint8Array {
  const fingerprint = createFingerprint()
  fingerprint.bytes(publicKey)
  fingerprint.bytes(message)
  const [a, b] = fingerprint.lanes()
  const signature = new Uint8Array(64)
  const view = new DataView(signature.buffer)
  for (let at = 0; at < 64; at += 8) {
    view.setUint32(at, Math.imul(a + at, 0x9e3779b1))
    view.setUint32(at + 4, Math.imul(b + at, 0x85ebca77))
  }
  return signature
}

function verifyStub(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.length !== 32 || signature.length !== 64) return false
  return Buffer.compare(stubSignature(publicKey, message), signature) === 0
}

/** Stands where the verifier's threads stand: the verdict comes a moment later. */
export function createDelayedVerifier(
  verify: Scheme['verify'],
  delay: () => Promise<void>,
): Pick<Verifier, 'judgeBatch' | 'verifyBatch'> {
  async function judgeBatch(items: readonly SignedItem[]): Promise<Verdict[]> {
    if (items.length === 0) return []
    await delay()
    return items.map((item) => (verify(item.publicKey, item.message, item.signature) ? 'valid' : 'invalid'))
  }
  return {
    judgeBatch,
    verifyBatch: async (items) => (await judgeBatch(items)).map((verdict) => verdict === 'valid'),
  }
}
