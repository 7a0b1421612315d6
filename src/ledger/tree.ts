// The state tree: a sparse Merkle tree over SHA-256 paths, kept in memory with every hash cached.
//
// Leaf = H(00 ‖ path ‖ H(value)), inner = H(01 ‖ left ‖ right), an empty subtree = 32 zero bytes, a subtree with one leaf is that
// leaf; path = SHA-256(key). Nodes never change: a change makes new nodes along the touched paths and tells which it made and which
// it replaces, so it costs nothing to drop a tentative one, and a commit that fails leaves the tree as it was.
import { createArena, EMPTY, type Latin1, type NodeId, sha256 } from './tree-arena.ts'
import { allPages, type PageChange, pageChanges, pathsBelow } from './tree-pages.ts'

/** A state key's new value as JSON text, null when it is deleted. */
export type Writes = ReadonlyMap<string, string | null>

export interface TreeChange {
  /** The state root after the change, in hexadecimal. */
  root: string
}

export interface StateTree {
  root(): string
  /** The tree after these writes, beside the present one. Adopt it or drop it: exactly one of the two. */
  prepare(writes: Iterable<readonly [string, string | null]>): TreeChange
  adopt(change: TreeChange): void
  drop(change: TreeChange): void
  /** What a change, not yet adopted, does to the pages of subtrees with more than `twigLeaves` leaves. */
  changedPages(change: TreeChange, twigLeaves: number): PageChange[]
  /** All those pages of the present tree, whole. */
  pages(twigLeaves: number): Generator<PageChange>
  /** The paths of all leaves, in their order. */
  leafPaths(): Generator<Latin1>
  /** Nodes in memory, for figures and leak tests. */
  nodes(): number
}

interface Update {
  path: Latin1
  /** The new leaf's hash, or undefined when the key is deleted. */
  hash: Latin1 | undefined
  /** The node to take over instead of making one. */
  node?: NodeId
}

interface Change extends TreeChange {
  base: NodeId
  node: NodeId
  made: NodeId[]
  replaced: NodeId[]
}

const bitOf = (path: Latin1, depth: number): number => (path.charCodeAt(depth >>> 3) >>> (7 - (depth & 7))) & 1

const leafInput = Buffer.alloc(65)
function leafHash(path: Latin1, value: string): Latin1 {
  leafInput.write(path, 1, 32, 'latin1')
  leafInput.write(sha256(value), 33, 32, 'latin1')
  return sha256(leafInput)
}

function toUpdates(writes: Iterable<readonly [string, string | null]>): Update[] {
  const updates: Update[] = []
  for (const [key, value] of writes) {
    const path = sha256(key)
    updates.push({ path, hash: value === null ? undefined : leafHash(path, value) })
  }
  return updates.sort((a, b) => (a.path < b.path ? -1 : 1))
}

export function createStateTree(): StateTree {
  const arena = createArena()
  let current: NodeId = EMPTY

  const hashOf = (node: NodeId): string => Buffer.from(arena.hash(node), 'latin1').toString('hex')

  function prepare(writes: Iterable<readonly [string, string | null]>): Change {
    const updates = toUpdates(writes)
    const change: Change = { root: '', base: current, node: EMPTY, made: [], replaced: [] }
    change.node = applied(change, current, updates, 0, updates.length, 0)
    change.root = hashOf(change.node)
    return change
  }

  /** The subtree `node` at `depth` after the updates [low, high), which all belong under it. */
  function applied(change: Change, node: NodeId, updates: Update[], low: number, high: number, depth: number): NodeId {
    if (low === high) return node
    if (node === EMPTY || arena.isLeaf(node)) return rebuilt(change, node, updates.slice(low, high), depth)
    const middle = split(updates, low, high, depth)
    const left = arena.left(node)
    const right = arena.right(node)
    const newLeft = applied(change, left, updates, low, middle, depth + 1)
    const newRight = applied(change, right, updates, middle, high, depth + 1)
    if (newLeft === left && newRight === right) return node
    change.replaced.push(node)
    return joined(change, newLeft, newRight)
  }

  /** The same where `node` is empty or a single leaf: that leaf, unless it is written too, is one more item to build from. */
  function rebuilt(change: Change, node: NodeId, updates: Update[], depth: number): NodeId {
    let items = updates
    if (node !== EMPTY) {
      const leaf = { path: arena.path(node), hash: arena.hash(node), node }
      const at = updates.findIndex((update) => update.path >= leaf.path)
      const place = at < 0 ? updates.length : at
      const found = updates[place]
      const isWritten = found !== undefined && found.path === leaf.path
      const isSame = isWritten && found.hash === leaf.hash
      if (!isWritten || isSame) items = updates.toSpliced(place, isWritten ? 1 : 0, leaf)
      else change.replaced.push(node)
    }
    const kept = items.filter((item) => item.hash !== undefined)
    return built(change, kept, 0, kept.length, depth)
  }

  /** A subtree of the items [low, high). */
  function built(change: Change, items: Update[], low: number, high: number, depth: number): NodeId {
    if (low === high) return EMPTY
    if (high - low === 1) {
      const { path, hash, node } = items[low]!
      if (node !== undefined) return node
      const leaf = arena.addLeaf(path, hash!)
      change.made.push(leaf)
      return leaf
    }
    const middle = split(items, low, high, depth)
    const left = built(change, items, low, middle, depth + 1)
    const right = built(change, items, middle, high, depth + 1)
    return joined(change, left, right)
  }

  function joined(change: Change, left: NodeId, right: NodeId): NodeId {
    if (left === EMPTY && (right === EMPTY || arena.isLeaf(right))) return right
    if (right === EMPTY && arena.isLeaf(left)) return left
    const node = arena.addInner(left, right)
    change.made.push(node)
    return node
  }

  return {
    root: () => hashOf(current),
    prepare,
    adopt(change) {
      const { base, node, replaced } = change as Change
      if (base !== current) throw new Error('A state tree change was adopted that was prepared against another tree.')
      for (const old of replaced) arena.free(old)
      current = node
    },
    drop(change) {
      for (const node of (change as Change).made) arena.free(node)
    },
    changedPages: (change, twigLeaves) =>
      pageChanges(arena, (change as Change).base, (change as Change).node, twigLeaves),
    pages: (twigLeaves) => allPages(arena, current, twigLeaves),
    leafPaths: () => pathsBelow(arena, current),
    nodes: () => arena.size(),
  }
}

/** The first of the sorted [low, high) whose bit at `depth` is set. */
function split(updates: readonly Update[], low: number, high: number, depth: number): number {
  let from = low
  let to = high
  while (from < to) {
    const middle = (from + to) >>> 1
    if (bitOf(updates[middle]!.path, depth) === 0) from = middle + 1
    else to = middle
  }
  return from
}
