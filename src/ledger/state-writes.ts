// What a block does to the state on the disk: new values, what they replaced, which keys are in the path index, and the pruning of
// what only heights below the kept history need. Heights stop being readable before their entries go.
import { hash } from 'node:crypto'
import { historyBounds, readBounds } from './history.ts'
import {
  historyKey,
  kinds,
  packKeys,
  pathKey,
  readHeight,
  staleKey,
  undoAfter,
  undoKey,
  undoneKey,
  unpackKeys,
} from './keys.ts'
import type { Cursor, Operation, Store } from './store.ts'
import { pagePruning } from './trunk.ts'

const ABSENT = Buffer.of(0)
const PRESENT = Buffer.of(1)
/** A block adds one height and prunes up to two, so its work is bounded and what a shortened history left shrinks with every block. */
const HEIGHTS_PRUNED_PER_BLOCK = 2

export interface StateChange {
  height: number
  writes: ReadonlyMap<string, string | null>
  /** The writes' keys as they are stored, in their order. */
  keys: readonly Buffer[]
  /** What the writes replace, in their order, as `oldValues` read it. */
  old: readonly (string | undefined)[]
  historyBlocks: number
  /** Pages whose older records the block makes stale, by their keys' beginnings. */
  stalePages: Buffer[]
}

/** The values that stored keys have at the head: as they are remembered (null: none), the others read by LevelDB's own threads. */
export async function oldValues(
  store: Store,
  keys: readonly Buffer[],
  remembered: readonly (string | null | undefined)[],
): Promise<(string | undefined)[]> {
  const others = keys.filter((_, index) => remembered[index] === undefined)
  const read = others.length === 0 ? [] : await store.getMany(others)
  let next = 0
  return remembered.map((value) => (value === undefined ? read[next++]?.toString('utf8') : (value ?? undefined)))
}

/** What makes the state after the block at `height`, but for the trunk's records. */
export async function stateOperations(store: Store, change: StateChange): Promise<Operation[]> {
  const { height, writes, historyBlocks, stalePages } = change
  let index = 0
  const operations: Operation[] = []
  const changed: Buffer[] = []
  const deleted: Buffer[] = []
  for (const value of writes.values()) {
    const latestKey = change.keys[index]!
    const old = change.old[index++]
    if (old === (value ?? undefined)) continue
    const bytes = latestKey.subarray(1)
    if (value === null) operations.push({ type: 'del', key: latestKey })
    else operations.push({ type: 'put', key: latestKey, value: Buffer.from(value, 'utf8') })
    if (historyBlocks === 0) continue
    if (old === undefined) operations.push({ type: 'put', key: pathKey(hash('sha256', bytes, 'buffer')), value: bytes })
    // Genesis replaces nothing: there is no state before it to go back to.
    if (height === 0) continue
    if (value === null) deleted.push(latestKey)
    const replaced = old === undefined ? ABSENT : Buffer.concat([PRESENT, Buffer.from(old, 'utf8')])
    operations.push({ type: 'put', key: undoKey(bytes, height), value: replaced })
    changed.push(bytes)
  }
  if (changed.length > 0) operations.push({ type: 'put', key: undoneKey(height), value: packKeys(changed) })
  const stale = [...stalePages, ...deleted]
  if (stale.length > 0) operations.push({ type: 'put', key: staleKey(height), value: packKeys(stale) })
  operations.push(...(await pruning(store, change)))
  return operations
}

async function pruning(store: Store, { height, historyBlocks, writes }: StateChange): Promise<Operation[]> {
  const bounds = readBounds(store.getSync(historyKey))
  const oldest = Math.max(bounds.oldest, height - historyBlocks)
  if (oldest === 0) return []
  const operations: Operation[] = []
  const range = { gte: undoneKey(bounds.prunedTo), lt: undoneKey(oldest + 1), limit: HEIGHTS_PRUNED_PER_BLOCK }
  const cursor = store.cursor(range)
  let prunedTo = oldest + 1
  try {
    for (let taken = 1; taken <= HEIGHTS_PRUNED_PER_BLOCK; taken++) {
      const entry = await cursor.next()
      if (entry === undefined) break
      const undone = readHeight(entry[0], 1)
      operations.push({ type: 'del', key: entry[0] })
      for (const key of unpackKeys(entry[1])) operations.push({ type: 'del', key: undoKey(key, undone) })
      operations.push(...(await stalePruning(store, undone, writes)))
      if (taken === HEIGHTS_PRUNED_PER_BLOCK) prunedTo = undone + 1
    }
  } finally {
    await cursor.close()
  }
  operations.push({ type: 'put', key: historyKey, value: historyBounds({ oldest, prunedTo }) })
  return operations
}

/** The path index's entries and the trunk's records that no height from `height` on needs. */
async function stalePruning(store: Store, height: number, writes: StateChange['writes']): Promise<Operation[]> {
  const key = staleKey(height)
  const stored = store.getSync(key)
  if (stored === undefined) return []
  const operations: Operation[] = [{ type: 'del', key }]
  const everything = { gte: Buffer.of(0), lt: Buffer.of(0xff) }
  const cursor = store.cursor(everything)
  try {
    for (const stale of unpackKeys(stored)) {
      if (stale.toString('latin1', 0, 1) === kinds.trunk) operations.push(...(await pagePruning(cursor, stale, height)))
      else if (await isForgotten(cursor, stale, height, writes)) {
        operations.push({ type: 'del', key: pathKey(hash('sha256', stale.subarray(1), 'buffer')) })
      }
    }
  } finally {
    await cursor.close()
  }
  return operations
}

/** Whether a key that the block at `height` deleted has not come back since, and does not with the block that is being written. */
async function isForgotten(
  cursor: Cursor,
  latestKey: Buffer,
  height: number,
  writes: StateChange['writes'],
): Promise<boolean> {
  const bytes = latestKey.subarray(1)
  if (typeof writes.get(bytes.toString('utf8')) === 'string') return false
  cursor.seek(undoKey(bytes, height + 1))
  const later = await cursor.next()
  return later === undefined || Buffer.compare(later[0], undoAfter(bytes)) >= 0
}
