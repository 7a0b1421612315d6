// Subtrees of the state tree by their leaves, and the tree's root by its subtrees (docs/data.md, "State tree"). Portable.
import { sha256 } from '../crypto/hash.ts'
import { bitOf, hashInner, hashLeaf } from '../crypto/state-proof.ts'
import { fromHex, toHex } from '../types/hex.ts'
import { type ChunkEntry, EMPTY, INNER, LEAF, type Subtree } from '../types/snapshot.ts'

const HASH_BYTES = 32
const utf8 = new TextEncoder()

/** A subtree on its way up: bytes in place of text. */
interface Node {
  kind: number
  hash: Uint8Array
}
const NOTHING: Node = { kind: EMPTY, hash: new Uint8Array(HASH_BYTES) }
export const EMPTY_SUBTREE: Subtree = { kind: EMPTY, hash: toHex(NOTHING.hash) }

/** Where a key's leaf is in the tree. */
export const pathOf = (key: string): Uint8Array => sha256(utf8.encode(key))

/** The subtree a path leads to where the tree is cut at `depth` (at most 24): its first bits as a number. */
export function indexOf(path: Uint8Array, depth: number): number {
  return ((path[0]! << 16) | (path[1]! << 8) | path[2]!) >>> (24 - depth)
}

/** The subtree below the first `depth` bits that these entries' leaves make; `paths` are theirs, ascending. */
export function subtreeOf(entries: readonly ChunkEntry[], paths: readonly Uint8Array[], depth: number): Subtree {
  const leaves = entries.map(({ value }, index): Node => ({ kind: LEAF, hash: leafHash(paths[index]!, value) }))
  return toSubtree(built(leaves, paths, 0, leaves.length, depth))
}

function built(leaves: Node[], paths: readonly Uint8Array[], low: number, high: number, depth: number): Node {
  if (low === high) return NOTHING
  if (high - low === 1) return leaves[low]!
  let middle = low
  while (middle < high && bitOf(paths[middle]!, depth) === 0) middle++
  return joined(built(leaves, paths, low, middle, depth + 1), built(leaves, paths, middle, high, depth + 1))
}

/** The state root over all subtrees, in hexadecimal. */
export function foldSubtrees(subtrees: readonly Subtree[]): string {
  let level = subtrees.map(({ kind, hash }): Node => ({ kind, hash: fromHex(hash) }))
  while (level.length > 1) {
    level = Array.from({ length: level.length / 2 }, (_, index) => joined(level[2 * index]!, level[2 * index + 1]!))
  }
  return toHex(level[0]!.hash)
}

/** The collapse rule: a subtree with one leaf is that leaf, at whatever depth. */
function joined(left: Node, right: Node): Node {
  if (left.kind === EMPTY && right.kind !== INNER) return right
  if (right.kind === EMPTY && left.kind !== INNER) return left
  return { kind: INNER, hash: hashInner(left.hash, right.hash) }
}

const leafHash = (path: Uint8Array, value: string): Uint8Array => hashLeaf(path, sha256(utf8.encode(value)))
const toSubtree = ({ kind, hash }: Node): Subtree => ({ kind, hash: toHex(hash) })
