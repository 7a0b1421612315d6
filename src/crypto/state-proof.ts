/**
 * Proofs of single state values against a block's state root: the binary sparse Merkle tree of docs/data.md ("State tree").
 *
 * A leaf is H(00 ‖ path ‖ H(value)) with path = H(key), an inner node H(01 ‖ left ‖ right), an empty subtree 32 zero bytes, and a
 * subtree with one leaf is that leaf. So where a key's path ends in the tree there is its own leaf (it is present), another key's leaf,
 * or nothing (either way it is absent).
 */
import { sha256 } from './hash.ts'
import { equalBytes } from './hex.ts'

const HASH_BYTES = 32
/** Two paths differ in one of their 256 bits, so no leaf lies deeper. */
const SIBLINGS_MAX = 8 * HASH_BYTES
const LEAF = 0
const INNER = 1
const text = new TextEncoder()

export interface StateClaim {
  /** `contract NUL key`. */
  key: string
  /** JSON text as the contract stored it; undefined claims that the key has no value. */
  value: string | undefined
  /** From the leaf up. */
  siblings: readonly Uint8Array[]
  /** The leaf that stands where an absent key's would; without it an absent key's place is empty. */
  other?: { path: Uint8Array; valueHash: Uint8Array } | undefined
}

/** Whether the claim holds in the state with this root. Never throws. */
export function verifyStatePath({ key, value, siblings, other }: StateClaim, root: Uint8Array): boolean {
  // UTF-8 has no lone surrogates: such a text would pass for the one with U+FFFD in their places.
  if (!key.isWellFormed() || value?.isWellFormed() === false) return false
  if (siblings.length > SIBLINGS_MAX || siblings.some(({ length }) => length !== HASH_BYTES)) return false
  const path = sha256(text.encode(key))
  let hash: Uint8Array
  if (value !== undefined) {
    if (other !== undefined) return false
    hash = hashLeaf(path, sha256(text.encode(value)))
  } else if (other === undefined) {
    hash = new Uint8Array(HASH_BYTES)
  } else {
    if (other.path.length !== HASH_BYTES || other.valueHash.length !== HASH_BYTES) return false
    const shared = sharedBits(path, other.path)
    // All 256 bits shared is the key's own leaf; fewer than the depth is a leaf from another place.
    if (shared === SIBLINGS_MAX || shared < siblings.length) return false
    hash = hashLeaf(other.path, other.valueHash)
  }
  for (const [index, sibling] of siblings.entries()) {
    const isRight = bitOf(path, siblings.length - 1 - index) === 1
    hash = isRight ? hashInner(sibling, hash) : hashInner(hash, sibling)
  }
  return equalBytes(hash, root)
}

export const hashLeaf = (path: Uint8Array, valueHash: Uint8Array): Uint8Array => hashPair(LEAF, path, valueHash)
export const hashInner = (left: Uint8Array, right: Uint8Array): Uint8Array => hashPair(INNER, left, right)

/** The bit that says at `depth` whether a path goes right. */
export const bitOf = (path: Uint8Array, depth: number): number => (path[depth >>> 3]! >>> (7 - (depth & 7))) & 1

function sharedBits(a: Uint8Array, b: Uint8Array): number {
  let depth = 0
  while (depth < SIBLINGS_MAX && bitOf(a, depth) === bitOf(b, depth)) depth++
  return depth
}

function hashPair(kind: number, first: Uint8Array, second: Uint8Array): Uint8Array {
  const input = new Uint8Array(1 + 2 * HASH_BYTES)
  input[0] = kind
  input.set(first, 1)
  input.set(second, 1 + HASH_BYTES)
  return sha256(input)
}
