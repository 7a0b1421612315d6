// The trunk: the state tree's upper pages on the disk, one version for each height that changed them.
//
// A record says what the block at its height left below a page: all 16 children, or only those that it changed, which halves what a
// block writes many times over. Reading a page at height h goes back from its newest record at or below h until every child is known.

import { after, heightBytes, pageKey, pagePrefix, readHeight, trunkKey } from './keys.ts'
import type { Cursor, Operation, Snapshot, Store } from './store.ts'
import { missing } from './store.ts'
import { isWhole, kinds, maskBit, PAGE_CHANGES_MAX, PAGE_CHILDREN, type PageChange } from './tree-pages.ts'

/** A subtree: nothing, one leaf, or an inner node, and its hash. */
export interface Subtree {
  kind: (typeof kinds)[keyof typeof kinds]
  hash: Buffer
}
export type Page = readonly Subtree[]

const NO_HASH = Buffer.alloc(32)
export const EMPTY_SUBTREE: Subtree = { kind: kinds.empty, hash: NO_HASH }

/** `base`: the lowest height that can be proven. `height`: the last block whose pages are in. */
export interface TrunkState {
  base: number
  height: number
  twigLeaves: number
}

export function trunkState(stored: Buffer | undefined): TrunkState | undefined {
  if (stored === undefined) return undefined
  return { base: readHeight(stored), height: readHeight(stored, 8), twigLeaves: stored.readUInt32BE(16) }
}

export function trunkStateOperation({ base, height, twigLeaves }: TrunkState): Operation {
  const value = Buffer.alloc(20)
  heightBytes(base).copy(value, 0)
  heightBytes(height).copy(value, 8)
  value.writeUInt32BE(twigLeaves, 16)
  return { type: 'put', key: trunkKey, value }
}

export function pageOperation({ depth, place, mask, children }: PageChange, height: number): Operation {
  const value = Buffer.allocUnsafe(2 + children.length)
  value.writeUInt16BE(mask)
  value.set(children, 2)
  return { type: 'put', key: pageKey(pagePrefix(depth, place), height), value }
}

/** The page's records below this one are needed only by heights below it. */
export const makesStale = (change: PageChange): boolean => change.isReplacing && (isWhole(change) || change.mask === 0)

/** The page at `depth` on this path after the block at `height`; undefined where the subtree is too small for one. */
export async function readPage(
  store: Store,
  snapshot: Snapshot | undefined,
  { path, depth, height }: { path: Uint8Array; depth: number; height: number },
): Promise<Page | undefined> {
  const prefix = pagePrefix(depth, path)
  const cursor = store.cursor({ gte: prefix, lt: pageKey(prefix, height + 1), reverse: true, snapshot })
  const children = new Array<Subtree | undefined>(PAGE_CHILDREN).fill(undefined)
  let known = 0
  try {
    for (let entry = await cursor.next(); entry !== undefined; entry = await cursor.next()) {
      const mask = entry[1].readUInt16BE()
      if (mask === 0) break
      known += fill(children, mask, entry[1].subarray(2))
      if (known === PAGE_CHILDREN) return children as Subtree[]
    }
  } finally {
    await cursor.close()
  }
  if (known > 0) throw missing(`whole record of the state tree's page ${prefix.toString('hex')} at or below ${height}`)
  return undefined
}

/** The children of a page that is written whole. */
export function decodePage({ mask, children }: Pick<PageChange, 'mask' | 'children'>): Page {
  const page = new Array<Subtree | undefined>(PAGE_CHILDREN).fill(undefined)
  fill(page, mask, children)
  return page as Subtree[]
}

/** Takes over what is not known from newer records; how many that were. */
function fill(children: (Subtree | undefined)[], mask: number, encoded: Buffer): number {
  let taken = 0
  let at = 0
  for (let child = 0; child < PAGE_CHILDREN; child++) {
    if ((mask & maskBit(child)) === 0) continue
    const kind = encoded[at++] as Subtree['kind']
    const hash = kind === kinds.empty ? NO_HASH : encoded.subarray(at, at + 32)
    if (kind !== kinds.empty) at += 32
    if (children[child] !== undefined) continue
    children[child] = kind === kinds.empty ? EMPTY_SUBTREE : { kind, hash }
    taken++
  }
  return taken
}

/** Usually all records of a page up to its next whole one, so that one look suffices. */
const RECORDS = PAGE_CHANGES_MAX + 1

/** Deletes the records of a page that the one at `height` has made stale, and that one too if it only says that the page is gone. */
export async function pagePruning(cursor: Cursor, prefix: Buffer, height: number): Promise<Operation[]> {
  const operations: Operation[] = []
  const last = pageKey(prefix, height)
  cursor.seek(prefix)
  for (let entries = await cursor.take(RECORDS); entries.length > 0; entries = await cursor.take(RECORDS)) {
    for (const [key, value] of entries) {
      const order = Buffer.compare(key, last)
      if (order < 0 || (order === 0 && value.readUInt16BE() === 0)) operations.push({ type: 'del', key })
      if (order >= 0) return operations
    }
  }
  return operations
}

/** Every entry of the trunk but its state. */
export const pagesRange = (): { gte: Buffer; lt: Buffer } => ({
  gte: Buffer.concat([trunkKey, Buffer.of(0)]),
  lt: after(trunkKey),
})
