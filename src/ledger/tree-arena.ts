// The state tree's nodes, packed 64 bytes each into slabs: a million keys take about 130 MB and give the garbage collector
// nothing to walk. A leaf holds its path and hash, an inner node its two children, how many leaves are below it, how often the pages
// on the disk were changed since they were last written whole (trunk.ts), and its hash.
//
// Outside the slabs, paths and hashes are strings of one character a byte: Node hashes into such a string in 0.23 µs, into a Buffer
// in 1.0, and their order is that of the bytes. Inside, hashes are copied word by word, which compiled code does without a call.
import { hash as digest } from 'node:crypto'

/** 0 is the empty subtree; odd ids are leaves, even ones inner nodes; `id >>> 1` is the slot. */
export type NodeId = number
export const EMPTY: NodeId = 0

const NODE_WORDS = 16
const NODE_BYTES = NODE_WORDS * 4
/** Where an inner node, after its two children, has its other numbers, and any node its hash; in words. */
const LEAVES_AT = 2
const MARK_AT = 3
const HASH_AT = 8
const HASH_WORDS = 8
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

/** The same memory as bytes and as words. */
interface Slab {
  bytes: Buffer
  words: Uint32Array
}

function createSlab(): Slab {
  const memory = new ArrayBuffer(SLAB_NODES * NODE_BYTES)
  return { bytes: Buffer.from(memory), words: new Uint32Array(memory) }
}

export function createArena(): Arena {
  const slabs: Slab[] = []
  const free: number[] = []
  // The byte 01 and two hashes, which so begin at whole words.
  const scratch = new ArrayBuffer(4 + 2 * HASH_WORDS * 4)
  const scratchWords = new Uint32Array(scratch)
  const innerInput = Buffer.from(scratch, 3)
  innerInput[0] = 1
  let next = 1

  const slabOf = (node: NodeId): Slab => slabs[node >>> (1 + SLAB_BITS)]!
  const wordsOf = (node: NodeId): Uint32Array => slabOf(node).words
  /** In words. */
  const offsetOf = (node: NodeId): number => ((node >>> 1) & (SLAB_NODES - 1)) * NODE_WORDS

  function takeSlot(): number {
    const reused = free.pop()
    if (reused !== undefined) return reused
    if (next >>> SLAB_BITS >= slabs.length) {
      if (slabs.length >= SLABS_MAX) throw new Error('The state tree is full: it holds at most about 500 million keys.')
      slabs.push(createSlab())
    }
    return next++
  }

  const isLeaf = (node: NodeId): boolean => (node & 1) === 1
  const left = (node: NodeId): NodeId => wordsOf(node)[offsetOf(node)]!
  const right = (node: NodeId): NodeId => wordsOf(node)[offsetOf(node) + 1]!

  function leaves(node: NodeId): number {
    if (node === EMPTY) return 0
    return isLeaf(node) ? 1 : wordsOf(node)[offsetOf(node) + LEAVES_AT]!
  }

  function bytesAt(node: NodeId, word: number): Latin1 {
    const at = (offsetOf(node) + word) * 4
    return slabOf(node).bytes.toString('latin1', at, at + 32)
  }

  function setBytes(node: NodeId, word: number, bytes: Latin1): void {
    slabOf(node).bytes.write(bytes, (offsetOf(node) + word) * 4, 32, 'latin1')
  }

  /** Copies a hash into the scratch, from this word on. */
  function hashInto(word: number, node: NodeId): void {
    if (node === EMPTY) {
      for (let n = 0; n < HASH_WORDS; n++) scratchWords[word + n] = 0
      return
    }
    const words = wordsOf(node)
    const from = offsetOf(node) + HASH_AT
    for (let n = 0; n < HASH_WORDS; n++) scratchWords[word + n] = words[from + n]!
  }

  return {
    isLeaf,
    isInner: (node) => node !== EMPTY && !isLeaf(node),
    left,
    right,
    half(node, depth, bit) {
      if (node === EMPTY) return EMPTY
      if (!isLeaf(node)) return bit === 0 ? left(node) : right(node)
      const byte = slabOf(node).bytes[offsetOf(node) * 4 + (depth >>> 3)]!
      return ((byte >>> (7 - (depth & 7))) & 1) === bit ? node : EMPTY
    },
    copyHash(node, target, at) {
      if (node === EMPTY) target.fill(0, at, at + 32)
      else {
        const from = (offsetOf(node) + HASH_AT) * 4
        slabOf(node).bytes.copy(target, at, from, from + 32)
      }
    },
    leaves,
    mark: (inner) => wordsOf(inner)[offsetOf(inner) + MARK_AT]!,
    setMark(inner, mark) {
      wordsOf(inner)[offsetOf(inner) + MARK_AT] = mark
    },
    path: (leaf) => bytesAt(leaf, 0),
    hash: (node) => (node === EMPTY ? zeros : bytesAt(node, HASH_AT)),
    addLeaf(path, hash) {
      const node = takeSlot() * 2 + 1
      setBytes(node, 0, path)
      setBytes(node, HASH_AT, hash)
      return node
    },
    addInner(left, right) {
      hashInto(1, left)
      hashInto(1 + HASH_WORDS, right)
      const node = takeSlot() * 2
      const words = wordsOf(node)
      const offset = offsetOf(node)
      words[offset] = left
      words[offset + 1] = right
      words[offset + LEAVES_AT] = leaves(left) + leaves(right)
      words[offset + MARK_AT] = 0
      setBytes(node, HASH_AT, sha256(innerInput))
      return node
    },
    free(node) {
      free.push(node >>> 1)
    },
    size: () => next - 1 - free.length,
  }
}
