// The state tree's naive twin: rebuilds the whole tree, or a path in it, from the state, recursively, with node's streaming hash.
import { createHash } from 'node:crypto'

const hash = (...parts: (Uint8Array | string)[]): Buffer => {
  const sum = createHash('sha256')
  for (const part of parts) sum.update(part)
  return sum.digest()
}

interface Leaf {
  path: Buffer
  valueHash: Buffer
  hash: Buffer
}

const leavesOf = (state: ReadonlyMap<string, string>): Leaf[] =>
  [...state].map(([key, value]) => {
    const path = hash(key)
    const valueHash = hash(value)
    return { path, valueHash, hash: hash(Buffer.of(0), path, valueHash) }
  })
const bitOf = (path: Buffer, depth: number) => (path[Math.floor(depth / 8)]! >> (7 - (depth % 8))) & 1

/** The state root in hexadecimal. */
export const naiveRoot = (state: ReadonlyMap<string, string>): string => subtree(leavesOf(state), 0).toString('hex')

function subtree(leaves: Leaf[], depth: number): Buffer {
  if (leaves.length === 0) return Buffer.alloc(32)
  if (leaves.length === 1) return leaves[0]!.hash
  const [left, right] = halves(leaves, depth)
  return hash(Buffer.of(1), subtree(left, depth + 1), subtree(right, depth + 1))
}

const halves = (leaves: Leaf[], depth: number) =>
  [0, 1].map((bit) => leaves.filter(({ path }) => bitOf(path, depth) === bit)) as [Leaf[], Leaf[]]

/** The path of a key, hexadecimal. */
export const pathOf = (key: string): string => hash(key).toString('hex')

export interface NaivePath {
  siblings: string[]
  other?: { path: string; valueHash: string }
}

/** Goes down towards the key until no more than one leaf is left, and notes what lies beside the way. */
export function naivePath(state: ReadonlyMap<string, string>, key: string): NaivePath {
  const path = hash(key)
  const siblings: string[] = []
  let leaves = leavesOf(state)
  for (let depth = 0; leaves.length > 1; depth++) {
    const [left, right] = halves(leaves, depth)
    const isRight = bitOf(path, depth) === 1
    siblings.unshift(subtree(isRight ? left : right, depth + 1).toString('hex'))
    leaves = isRight ? right : left
  }
  const [leaf] = leaves
  if (leaf === undefined || leaf.path.equals(path)) return { siblings }
  return { siblings, other: { path: leaf.path.toString('hex'), valueHash: leaf.valueHash.toString('hex') } }
}
