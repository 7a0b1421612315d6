// What execution needs besides state: the sandbox, signature checks, and small caches of things that never change.
import { addressOf, isAddress } from '../crypto/address.ts'
import { fromHex } from '../types/hex.ts'
import { ADDRESS_CACHE_MAX, CODE_CACHE_BYTES_MAX } from './limits.ts'
import type { Inspection, Invocation, Outcome as SandboxOutcome } from './sandbox/types.ts'

/** The sandbox as execution uses it. */
export interface Sandbox {
  run(invocation: Invocation): SandboxOutcome
  inspect(code: string, gasLimit: number): Inspection
}

export type VerifyEd25519 = (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean

export interface Runtime {
  readonly sandbox: Sandbox
  readonly verifyEd25519: VerifyEd25519
  /** The address of a public key in hexadecimal. */
  addressOf(key: string): string
  isAddress(text: string): boolean
  /** The code under a hash, from memory or through `load`. */
  code(codeHash: string, load: () => string): string
}

export function createRuntime(parts: { sandbox: Sandbox; verifyEd25519: VerifyEd25519 }): Runtime {
  const addresses = createBoundedMap<string>(ADDRESS_CACHE_MAX, () => 1)
  const verdicts = createBoundedMap<boolean>(ADDRESS_CACHE_MAX, () => 1)
  const codes = createBoundedMap<string>(CODE_CACHE_BYTES_MAX, (code) => 2 * code.length)
  return {
    ...parts,
    addressOf: (key) => addresses.get(key, () => addressOf(fromHex(key))),
    // A longer text is no address; remembering it would only let a contract fill memory with it.
    isAddress: (text) => (text.length > 100 ? false : verdicts.get(text, () => isAddress(text))),
    code: (codeHash, load) => codes.get(codeHash, load),
  }
}

/** Remembers what was made for a key; the oldest go when the sizes pass `sizeMax`. */
function createBoundedMap<T>(sizeMax: number, sizeOf: (value: T) => number) {
  const entries = new Map<string, T>()
  let size = 0
  return {
    get(key: string, make: () => T): T {
      const known = entries.get(key)
      if (known !== undefined) return known
      const value = make()
      entries.set(key, value)
      size += sizeOf(value)
      for (const [oldest, old] of entries) {
        if (size <= sizeMax) break
        entries.delete(oldest)
        size -= sizeOf(old)
      }
      return value
    },
  }
}
