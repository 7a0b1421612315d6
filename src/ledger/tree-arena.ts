// The state tree's nodes, packed 64 bytes each into slabs: a million keys take about 130 MB and give the garbage collector
// nothing to walk. A leaf holds its path and hash, an inner node its two children, how many leaves are below it, how often the pages
// on the disk were changed since they were last written whole (trunk.ts), and its hash.
//
// Outside the slabs, paths and hashes are strings of one character a byte: Node hashes into such a string in 0.3 µs, into a Buffer
// in 0.8, and their order is that of the bytes.
import { hash as digest } from 'node:crypto'

/** 0 is the empty subtree; odd ids are leaves, even ones inner nodes; `id >>> 1` is the slot. */
export type NodeId = number
export const EMPTY: NodeId = 0

const NODE_BYTES = 64
/** Where an inner node, after its two children, has its other numbers. */
const LEAVES_AT = 8
const MARK_AT = 12
const SLAB_BITS = 14
const SLAB_NODES = 1 << SLAB_BITS
/** Ids must stay positive 31-bit integers, so slots have 30 bits. */
const SLABS_MAX = 1 << (30 - SLAB_BITS)
const zeros = '\0'.repeat(32)

/** Bytes as a string of as many characters, each below 256. */
export type Latin1 = string

/** SHA-256, of text as UTF-8. */
export const sha256 = (input: Buffer | string): Latin1 => digest('sha256', input, 'binary')

export interface Arena {
  isLeaf(node: NodeId): boolean
  isInner(node: NodeId): boolean
  left(node: NodeId): NodeId
  right(node: NodeId): NodeId
  /**
   * The half of a subtree at `depth` on the side of this bit. A lone leaf is on the side that its path says.
   */
  half(node: NodeId, depth: number, bit: number): NodeId
  path(leaf: NodeId): Latin1
  hash(node: NodeId): Latin1
  /** Writes the 32 bytes of its hash. */
  copyHash(node: NodeId, target: Buffer, at: number): void
  /** Leaves in the subtree. */
  leaves(node: NodeId): number
  /** A small number that an inner node carries for whoever writes it to the disk; 0 at first. */
  mark(inner: NodeId): number
  setMark(inner: NodeId, mark: number): void
  addLeaf(path: Latin1, hash: Latin1): NodeId
  /** Hashes its children. */
  addInner(left: NodeId, right: NodeId): NodeId
  free(node: NodeId): void
  /** Nodes in use. */
  size(): number
}

export function createArena(): Arena {
  const slabs: Buffer[] = []
  const free: number[] = []
  const scratch = Buffer.alloc(65)
  scratch[0] = 1
  let next = 1

  const slabOf = (node: NodeId): Buffer => slabs[node >>> (1 + SLAB_BITS)]!
  const offsetOf = (node: NodeId): number => ((node >>> 1) & (SLAB_NODES - 1)) * NODE_BYTES

  function takeSlot(): number {
    const reused = free.pop()
    if (reused !== undefined) return reused
    if (next >>> SLAB_BITS >= slabs.length) {
      if (slabs.length >= SLABS_MAX) throw new Error('The state tree is full: it holds at most about 500 million keys.')
      slabs.push(Buffer.alloc(SLAB_NODES * NODE_BYTES))
    }
    return next++
  }

  function copyHash(node: NodeId, target: Buffer, at: number): void {
    if (node === EMPTY) target.fill(0, at, at + 32)
    else slabOf(node).copy(target, at, offsetOf(node) + 32, offsetOf(node) + NODE_BYTES)
  }
  const isLeaf = (node: NodeId): boolean => (node & 1) === 1
  const left = (node: NodeId): NodeId => slabOf(node).readUInt32BE(offsetOf(node))
  const right = (node: NodeId): NodeId => slabOf(node).readUInt32BE(offsetOf(node) + 4)

  function leaves(node: NodeId): number {
    if (node === EMPTY) return 0
    return isLeaf(node) ? 1 : slabOf(node).readUInt32BE(offsetOf(node) + LEAVES_AT)
  }

  return {
    isLeaf,
    isInner: (node) => node !== EMPTY && !isLeaf(node),
    left,
    right,
    half(node, depth, bit) {
      if (node === EMPTY) return EMPTY
      if (!isLeaf(node)) return bit === 0 ? left(node) : right(node)
      const byte = slabOf(node)[offsetOf(node) + (depth >>> 3)]!
      return ((byte >>> (7 - (depth & 7))) & 1) === bit ? node : EMPTY
    },
    copyHash,
    leaves,
    mark: (inner) => slabOf(inner)[offsetOf(inner) + MARK_AT]!,
    setMark(inner, mark) {
      slabOf(inner)[offsetOf(inner) + MARK_AT] = mark
    },
    path: (leaf) => slabOf(leaf).toString('latin1', offsetOf(leaf), offsetOf(leaf) + 32),
    hash(node) {
      return node === EMPTY ? zeros : slabOf(node).toString('latin1', offsetOf(node) + 32, offsetOf(node) + NODE_BYTES)
    },
    addLeaf(path, hash) {
      const node = takeSlot() * 2 + 1
      slabOf(node).write(path, offsetOf(node), 32, 'latin1')
      slabOf(node).write(hash, offsetOf(node) + 32, 32, 'latin1')
      return node
    },
    addInner(left, right) {
      copyHash(left, scratch, 1)
      copyHash(right, scratch, 33)
      const node = takeSlot() * 2
      const slab = slabOf(node)
      const offset = offsetOf(node)
      slab.writeUInt32BE(left, offset)
      slab.writeUInt32BE(right, offset + 4)
      slab.writeUInt32BE(leaves(left) + leaves(right), offset + LEAVES_AT)
      slab[offset + MARK_AT] = 0
      slab.write(sha256(scratch), offset + 32, 32, 'latin1')
      return node
    },
    free(node) {
      free.push(node >>> 1)
    },
    size: () => next - 1 - free.length,
  }
}
