/**
 * Merkle trees as in RFC 6962 section 2.1 (the same tree as RFC 9162 section 2.1): leaves are hashed with prefix 0x00 and
 * inner nodes with 0x01, so that no inner node can pass for a leaf; the tree of no leaves is SHA-256 of nothing.
 */
import { sha256 } from './hash.ts'
import { equalBytes } from './hex.ts'

const hashBytes = 32
const pathLengthMax = 53 // Indices are safe integers, so no tree is deeper.

/** The root of the tree over the leaves' bytes, in the order given. */
export function merkleRoot(leaves: readonly Uint8Array[]): Uint8Array {
  return merkleRootOfHashes(leaves.map(hashLeaf))
}

/** The same root from the leaves' hashes. */
export function merkleRootOfHashes(hashes: readonly Uint8Array[]): Uint8Array {
  if (hashes.length === 0) return sha256(new Uint8Array(0))
  let level = [...hashes]
  while (level.length > 1) level = parentsOf(level)
  return level[0]!
}

/** The sibling hashes from the leaf at `index` up to the root: the audit path of RFC 6962 section 2.1.1. */
export function merklePath(leaves: readonly Uint8Array[], index: number): Uint8Array[] {
  if (!Number.isInteger(index) || index < 0 || index >= leaves.length) {
    throw new RangeError(`Leaf ${index} is not in a tree of ${leaves.length} leaves; indices start at 0.`)
  }
  const path: Uint8Array[] = []
  let level = leaves.map(hashLeaf)
  let position = index
  while (level.length > 1) {
    const sibling = level[position % 2 === 0 ? position + 1 : position - 1]
    if (sibling !== undefined) path.push(sibling)
    level = parentsOf(level)
    position = Math.floor(position / 2)
  }
  return path
}

export interface MerkleClaim {
  leaf: Uint8Array
  index: number
  /** Number of leaves in the tree. */
  size: number
  path: readonly Uint8Array[]
  root: Uint8Array
}

/** Whether the path proves that the tree of `size` leaves with this root has this leaf at `index` (RFC 9162 section 2.1.3.2). Never throws. */
export function verifyMerklePath({ leaf, index, size, path, root }: MerkleClaim): boolean {
  if (!Number.isSafeInteger(size) || !Number.isSafeInteger(index) || index < 0 || index >= size) return false
  if (path.length > pathLengthMax || path.some((sibling) => sibling.length !== hashBytes)) return false
  let hash = hashLeaf(leaf)
  let position = index
  let last = size - 1
  let used = 0
  while (last > 0) {
    const isLeft = position % 2 === 0
    // The last node of a level with an odd number of nodes has no sibling and rises unchanged.
    if (!(isLeft && position === last)) {
      const sibling = path[used++]
      if (sibling === undefined) return false
      hash = isLeft ? hashNode(hash, sibling) : hashNode(sibling, hash)
    }
    position = Math.floor(position / 2)
    last = Math.floor(last / 2)
  }
  return used === path.length && equalBytes(hash, root)
}

/**
 * Whether a leaf's path alone tells its index. A root does not say how many leaves its tree has, and where all the last turns of a path
 * lead up from the right, the same path leads to the root from other places in trees of other sizes.
 */
export function isIndexCertain({ index, size }: Pick<MerkleClaim, 'index' | 'size'>): boolean {
  return size === 1 || index < 2 ** Math.floor(Math.log2(size - 1))
}

function parentsOf(level: readonly Uint8Array[]): Uint8Array[] {
  const parents: Uint8Array[] = []
  for (let left = 0; left < level.length; left += 2) {
    const right = level[left + 1]
    parents.push(right === undefined ? level[left]! : hashNode(level[left]!, right))
  }
  return parents
}

export function hashLeaf(leaf: Uint8Array): Uint8Array {
  const input = new Uint8Array(1 + leaf.length)
  input.set(leaf, 1)
  return sha256(input)
}

function hashNode(left: Uint8Array, right: Uint8Array): Uint8Array {
  const input = new Uint8Array(1 + 2 * hashBytes)
  input[0] = 1
  input.set(left, 1)
  input.set(right, 1 + hashBytes)
  return sha256(input)
}
