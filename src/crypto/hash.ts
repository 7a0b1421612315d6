/**
 * SHA-256 (FIPS 180-4). Node's native hash where there is one, `@noble/hashes` elsewhere. Node's module is looked up
 * at run time, because a static `node:` import would keep this file out of browser bundles.
 */
import { sha256 as sha256Portable } from '@noble/hashes/sha2.js'

type NativeHash = (algorithm: string, data: Uint8Array, encoding: 'buffer') => Uint8Array<ArrayBuffer>

const nativeHash = findNativeHash()

/** The 32-byte SHA-256 digest. */
export function sha256(bytes: Uint8Array): Uint8Array {
  if (nativeHash === undefined) return sha256Portable(bytes)
  const digest = nativeHash('sha256', bytes, 'buffer')
  // A Buffer is not structurally equal to a Uint8Array in comparisons and encoders, so none leaves this file.
  return new Uint8Array(digest.buffer, digest.byteOffset, digest.byteLength)
}

function findNativeHash(): NativeHash | undefined {
  const runtime = (globalThis as { process?: { getBuiltinModule?: (name: string) => unknown } }).process
  const nodeCrypto = runtime?.getBuiltinModule?.('node:crypto') as { hash?: NativeHash } | undefined
  return typeof nodeCrypto?.hash === 'function' ? nodeCrypto.hash : undefined
}
