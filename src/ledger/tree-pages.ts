// Pages: the upper part of the state tree in the form that goes to the disk.
//
// A page is a subtree at a depth divisible by 4 with more than `twigLeaves` leaves; it says of each of its 16 subtrees four levels
// further down whether it is empty, one leaf or more, and its hash. Between two trees that share their untouched nodes, the pages
// that differ are found by going down only where the nodes differ.
import { type Arena, EMPTY, type Latin1, type NodeId } from './tree-arena.ts'

/** Levels of the binary tree in one page, and the subtrees below it. */
export const PAGE_LEVELS = 4
export const PAGE_CHILDREN = 1 << PAGE_LEVELS
/** A page is written whole at the latest after so many changes: a reader goes back through no more records than that. */
export const PAGE_CHANGES_MAX = 16

export const kinds = { empty: 0, leaf: 1, inner: 2 } as const

export interface PageChange {
  depth: number
  /** The path to it, in as many whole bytes as that takes. */
  place: Buffer
  /** Which of the 16 children `children` has, the first in the highest bit; none of them: the page is no more. */
  mask: number
  /** For each, in their order: its kind, and its hash unless it is empty. */
  children: Buffer
  /** Whether a page was there before. */
  isReplacing: boolean
}

const WHOLE = (1 << PAGE_CHILDREN) - 1
export const isWhole = ({ mask }: { mask: number }): boolean => mask === WHOLE
export const maskBit = (child: number): number => 1 << (PAGE_CHILDREN - 1 - child)

interface Child {
  child: number
  before: NodeId
  node: NodeId
}

/** What distinguishes the pages of the tree `node` from those of the tree `before`. */
export function pageChanges(arena: Arena, before: NodeId, node: NodeId, twigLeaves: number): PageChange[] {
  const found: PageChange[] = []
  const place = Buffer.alloc(32)
  const isPage = (subtree: NodeId) => arena.isInner(subtree) && arena.leaves(subtree) > twigLeaves

  function visit(before: NodeId, node: NodeId, depth: number): void {
    if (before === node) return
    const [was, is] = [isPage(before), isPage(node)]
    if (!was && !is) return
    const changed = childrenOf(arena, before, node, depth)
    found.push({
      ...(is ? record(was ? before : EMPTY, node, depth, changed) : gone),
      ...placed(depth),
      isReplacing: was,
    })
    for (const { child, before, node } of changed) {
      setNibble(place, depth, child)
      visit(before, node, depth + PAGE_LEVELS)
    }
    setNibble(place, depth, 0)
  }

  function record(before: NodeId, node: NodeId, depth: number, changed: Child[]) {
    // The mark counts the records since the whole one. It is 0 where none is known, as after a start.
    const mark = before === EMPTY ? 0 : arena.mark(before)
    const whole = mark === 0 || mark >= PAGE_CHANGES_MAX || changed.length === PAGE_CHILDREN
    arena.setMark(node, whole ? 1 : mark + 1)
    return encodeChildren(arena, whole ? childrenOf(arena, undefined, node, depth) : changed)
  }

  const placed = (depth: number) => ({ depth, place: Buffer.from(place.subarray(0, (depth + 7) >>> 3)) })

  visit(before, node, 0)
  return found
}

const gone = { mask: 0, children: Buffer.alloc(0) }

/** All pages of a tree, each whole, from the root down. */
export function* allPages(arena: Arena, root: NodeId, twigLeaves: number): Generator<PageChange> {
  const place = Buffer.alloc(32)
  function* visit(node: NodeId, depth: number): Generator<PageChange> {
    if (!arena.isInner(node) || arena.leaves(node) <= twigLeaves) return
    const children = childrenOf(arena, undefined, node, depth)
    const at = { depth, place: Buffer.from(place.subarray(0, (depth + 7) >>> 3)) }
    yield { ...at, ...encodeChildren(arena, children), isReplacing: false }
    for (const { child, node } of children) {
      setNibble(place, depth, child)
      yield* visit(node, depth + PAGE_LEVELS)
    }
    setNibble(place, depth, 0)
  }
  yield* visit(root, 0)
}

/** The paths of a subtree's leaves, in their order. */
export function* pathsBelow(arena: Arena, node: NodeId): Generator<Latin1> {
  // One generator with a stack of its own: nested ones would hand each path up through every level.
  const stack = [node]
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    if (next === EMPTY) continue
    if (arena.isLeaf(next)) yield arena.path(next)
    else stack.push(arena.right(next), arena.left(next))
  }
}

/** The subtrees four levels below that differ from those of `before`, or all of them where there is none to compare with. */
function childrenOf(arena: Arena, before: NodeId | undefined, node: NodeId, depth: number): Child[] {
  const found: Child[] = []
  function descend(before: NodeId | undefined, node: NodeId, level: number, child: number): void {
    if (before === node) return
    if (level === PAGE_LEVELS) {
      found.push({ child, before: before ?? EMPTY, node })
      return
    }
    for (const bit of [0, 1]) {
      const half = before === undefined ? undefined : arena.half(before, depth + level, bit)
      descend(half, arena.half(node, depth + level, bit), level + 1, child * 2 + bit)
    }
  }
  descend(before, node, 0, 0)
  return found
}

function encodeChildren(arena: Arena, children: readonly Child[]): { mask: number; children: Buffer } {
  const encoded = Buffer.allocUnsafe(children.length * 33)
  let mask = 0
  let at = 0
  for (const { child, node } of children) {
    mask |= maskBit(child)
    if (node === EMPTY) {
      encoded[at++] = kinds.empty
      continue
    }
    encoded[at++] = arena.isLeaf(node) ? kinds.leaf : kinds.inner
    arena.copyHash(node, encoded, at)
    at += 32
  }
  return { mask, children: encoded.subarray(0, at) }
}

function setNibble(place: Buffer, depth: number, nibble: number): void {
  const byte = place[depth >>> 3]!
  place[depth >>> 3] = (depth & 7) === 0 ? (nibble << 4) | (byte & 0x0f) : (byte & 0xf0) | nibble
}
