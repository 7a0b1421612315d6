// The state tree's naive twin: rebuilds the whole tree from the state, recursively, with node's streaming hash.
import { createHash } from 'node:crypto'

const hash = (...parts: (Uint8Array | string)[]): Buffer => {
  const sum = createHash('sha256')
  for (const part of parts) sum.update(part)
  return sum.digest()
}

interface Leaf {
  path: Buffer
  hash: Buffer
}

/** The state root in hexadecimal. */
export function naiveRoot(state: ReadonlyMap<string, string>): string {
  const leaves = [...state].map(([key, value]): Leaf => {
    const path = hash(key)
    return { path, hash: hash(Buffer.of(0), path, hash(value)) }
  })
  return subtree(leaves, 0).toString('hex')
}

function subtree(leaves: Leaf[], depth: number): Buffer {
  if (leaves.length === 0) return Buffer.alloc(32)
  if (leaves.length === 1) return leaves[0]!.hash
  const bit = (leaf: Leaf) => (leaf.path[Math.floor(depth / 8)]! >> (7 - (depth % 8))) & 1
  const left = leaves.filter((leaf) => bit(leaf) === 0)
  const right = leaves.filter((leaf) => bit(leaf) === 1)
  return hash(Buffer.of(1), subtree(left, depth + 1), subtree(right, depth + 1))
}
