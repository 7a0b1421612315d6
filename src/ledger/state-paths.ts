// Paths in the state tree at any kept height, made from the disk alone: from the trunk's pages down, and below them from the leaves.

import { sha256 } from '../crypto/hash.ts'
import { fromHex, toHex } from '../crypto/hex.ts'
import { bitOf, hashInner, hashLeaf, verifyStatePath } from '../crypto/state-proof.ts'
import { type Header, headerCodec } from '../types/block.ts'
import { decode } from '../types/schema.ts'
import { LedgerDamaged, Pruned } from './errors.ts'
import { type KeptHeight, openHeight } from './history.ts'
import { heightKey, oldestKey, readHeight, trunkKey } from './keys.ts'
import { type Leaf, readLeaves } from './leaves.ts'
import { missing, type Store } from './store.ts'
import { kinds, PAGE_LEVELS } from './tree-pages.ts'
import { EMPTY_SUBTREE, type Page, readPage, type Subtree, trunkState } from './trunk.ts'

/** Siblings from the leaf up, hexadecimal; `other` is the leaf that stands where an absent key's would. */
export interface StatePath {
  siblings: string[]
  other?: { path: string; valueHash: string }
}

/** Pages that are fetched together: those of a path in a state of a million keys. */
const PAGES_AT_ONCE = 4

/** Opens a kept height whose trunk, path index and header are there; the caller closes its snapshot. */
export async function openProvable(store: Store, height: number): Promise<KeptHeight> {
  const at = await openHeight(store, height)
  try {
    const trunk = trunkState(await store.get(trunkKey, at.snapshot))
    if (trunk === undefined) throw missing('state tree; the node builds it when it starts')
    const oldest = await store.get(oldestKey, at.snapshot)
    const lowest = Math.max(trunk.base, oldest === undefined ? 0 : readHeight(oldest))
    if (height < lowest) throw new Pruned(height, lowest)
    return at
  } catch (error) {
    await at.snapshot.close()
    throw error
  }
}

/** The path from `key` to the state root after the block at `height`. */
export async function proveState(store: Store, height: number, key: string): Promise<StatePath> {
  const at = await openProvable(store, height)
  try {
    const { path, value } = await pathTo(store, at, key)
    await assertFits(store, at, key, value, path)
    return path
  } finally {
    await at.snapshot.close()
  }
}

async function pathTo(store: Store, at: KeptHeight, key: string) {
  const path = sha256(Buffer.from(key, 'utf8'))
  const down = descend(await readPages(store, at, path), path)
  const leaves: Leaf[] = []
  for await (const leaf of readLeaves(store, at, { path, bits: down.length })) leaves.push(leaf)
  const hashes = leaves.map(({ path, value }) => hashLeaf(path, sha256(Buffer.from(value, 'utf8'))))
  let [low, high] = [0, leaves.length]
  while (high - low > 1) {
    const depth = down.length
    const middle = split(leaves, low, high, depth)
    const isRight = bitOf(path, depth) === 1
    down.push(
      isRight
        ? subtreeHash(leaves, hashes, low, middle, depth + 1)
        : subtreeHash(leaves, hashes, middle, high, depth + 1),
    )
    if (isRight) low = middle
    else high = middle
  }
  const siblings = down.reverse().map(toHex)
  const leaf = high > low ? leaves[low]! : undefined
  if (leaf === undefined) return { path: { siblings } }
  if (leaf.key === key) return { path: { siblings }, value: leaf.value }
  const other = { path: toHex(leaf.path), valueHash: toHex(sha256(Buffer.from(leaf.value, 'utf8'))) }
  return { path: { siblings, other } }
}

/** The pages on a path, from the root down to the last one. */
async function readPages(store: Store, { snapshot, height }: KeptHeight, path: Uint8Array): Promise<Page[]> {
  const pages: Page[] = []
  for (;;) {
    const depths = Array.from({ length: PAGES_AT_ONCE }, (_, index) => (pages.length + index) * PAGE_LEVELS)
    const read = await Promise.all(depths.map((depth) => readPage(store, snapshot, { path, depth, height })))
    const end = read.indexOf(undefined)
    pages.push(...(read.slice(0, end < 0 ? read.length : end) as Page[]))
    if (end >= 0) return pages
  }
}

/** Siblings from the root down to where the pages end, or before, where a subtree on the way has no more than one leaf. */
function descend(pages: readonly Page[], path: Uint8Array): Uint8Array[] {
  const siblings: Uint8Array[] = []
  for (const page of pages) {
    const levels: Subtree[][] = [[...page]]
    while (levels[0]!.length > 2) levels.unshift(halved(levels[0]!))
    let place = 0
    for (const level of levels) {
      place = place * 2 + bitOf(path, siblings.length)
      siblings.push(level[place ^ 1]!.hash)
      if (level[place]!.kind !== kinds.inner) return siblings
    }
  }
  return siblings
}

/** The level above: a subtree whose halves have one leaf in all is that leaf. */
const halved = (level: readonly Subtree[]): Subtree[] =>
  Array.from({ length: level.length / 2 }, (_, index) => joined(level[2 * index]!, level[2 * index + 1]!))

function joined(left: Subtree, right: Subtree): Subtree {
  if (left.kind === kinds.empty && right.kind !== kinds.inner) return right
  if (right.kind === kinds.empty && left.kind !== kinds.inner) return left
  return { kind: kinds.inner, hash: Buffer.from(hashInner(left.hash, right.hash)) }
}

/** The hash of a subtree at `depth` that has the leaves [low, high). */
function subtreeHash(
  leaves: readonly Leaf[],
  hashes: readonly Uint8Array[],
  low: number,
  high: number,
  depth: number,
): Uint8Array {
  if (high === low) return EMPTY_SUBTREE.hash
  if (high - low === 1) return hashes[low]!
  const middle = split(leaves, low, high, depth)
  return hashInner(
    subtreeHash(leaves, hashes, low, middle, depth + 1),
    subtreeHash(leaves, hashes, middle, high, depth + 1),
  )
}

/** The first of the leaves [low, high) on the right at `depth`. */
function split(leaves: readonly Leaf[], low: number, high: number, depth: number): number {
  let middle = low
  while (middle < high && bitOf(leaves[middle]!.path, depth) === 0) middle++
  return middle
}

/** What is on the disk may be incomplete without any checksum telling; a path that does not lead to the header's root is not given out. */
async function assertFits(
  store: Store,
  { snapshot, height }: KeptHeight,
  key: string,
  value: string | undefined,
  path: StatePath,
) {
  const stored = await store.get(heightKey('header', height), snapshot)
  if (stored === undefined) throw missing(`header at height ${height}`)
  const header: Header = decode(headerCodec, new Uint8Array(stored.subarray(32)))
  const { siblings, other } = path
  const claim = {
    key,
    value,
    siblings: siblings.map(fromHex),
    other: other && { path: fromHex(other.path), valueHash: fromHex(other.valueHash) },
  }
  if (verifyStatePath(claim, fromHex(header.stateRoot))) return
  throw new LedgerDamaged(
    `The state tree on the disk does not lead to the state root of block ${height}: it is not whole. Restart the node: it builds the ` +
      'tree anew where it does not fit the head. Check the disk first; damage tends to come back.',
  )
}
