/**
 * Ed25519 at native speed, with the verdicts of `verifyReference` on every input. A native acceptance is taken, because it
 * implies acceptance by ZIP-215; anything else is decided by the reference, some fifty times slower. Callers that must not pay
 * that for a stranger's forgery take `verifyFast` first and choose when, or whether, to call `verifySlow`.
 */
import { publicKeyBytes, seedBytes, signatureBytes, verifyReference } from './ed25519.ts'
import { createNodeEngine, type Engine, type KeyPair, loadSodiumEngine } from './engines.ts'

export type { KeyPair } from './engines.ts'

const engine = loadSodiumEngine() ?? createNodeEngine()

/** The native library in use, for logs and benchmarks. */
export const engineName: Engine['name'] = engine.name

/** A key pair from a 32-byte seed. Signatures are deterministic (RFC 8032). */
export function createKeyPair(seed: Uint8Array): KeyPair {
  if (seed.length !== seedBytes) {
    throw new RangeError(`An Ed25519 seed has ${seedBytes} bytes, but ${seed.length} came.`)
  }
  return engine.createKeyPair(seed)
}

/** One signature; to sign often under one key, keep its `createKeyPair`. */
export function sign(seed: Uint8Array, message: Uint8Array): Uint8Array {
  return createKeyPair(seed).sign(message)
}

/** Whether ZIP-215 accepts the signature. Never throws. */
export function verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  return verifyFast(publicKey, message, signature) || verifySlow(publicKey, message, signature)
}

/** True: the signature is valid. False: undecided, ask `verifySlow`. Never throws. */
export function verifyFast(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (!isWellFormed(publicKey, signature)) return false
  try {
    return engine.accepts(publicKey, message, signature)
  } catch {
    return false
  }
}

/** The final verdict, at the reference's price: about a millisecond. Never throws. */
export const verifySlow: typeof verify = verifyReference

/** Whether the lengths are right; where they are not, no check can accept. */
export function isWellFormed(publicKey: Uint8Array, signature: Uint8Array): boolean {
  return publicKey.length === publicKeyBytes && signature.length === signatureBytes
}
