// State as it was: the latest value of every key, and beside it what each block replaced.
//
// An undo entry (key, n) holds the value that the block at n replaced. The value after height h is therefore that of the key's
// first undo entry above h, or the latest value where there is none. Each read works on one snapshot of the store, so blocks that
// another thread commits meanwhile do not show.
import { AboveHead, Pruned } from './errors.ts'
import {
  after,
  headKey,
  heightBytes,
  historyKey,
  readHeight,
  readStateKey,
  readUndoKey,
  stateKey,
  undoAfter,
  undoKey,
  undoPrefix,
} from './keys.ts'
import type { Cursor, Snapshot, Store } from './store.ts'

export interface StateView {
  get(key: string): Promise<string | undefined>
  /** Up to `limit` keys that start with `prefix`, those after `after` if given, ordered by their UTF-8 bytes. */
  scan(prefix: string, after: string | undefined, limit: number): Promise<[key: string, value: string][]>
}

/** `oldest`: the lowest height whose state can be read. `prunedTo`: there are no undo entries below this height. */
export interface Bounds {
  oldest: number
  prunedTo: number
}

export function readBounds(stored: Buffer | undefined): Bounds {
  return stored === undefined
    ? { oldest: 0, prunedTo: 0 }
    : { oldest: readHeight(stored), prunedTo: readHeight(stored, 8) }
}

export const historyBounds = ({ oldest, prunedTo }: Bounds): Buffer =>
  Buffer.concat([heightBytes(oldest), heightBytes(prunedTo)])

/** A kept height in one unchanging version of the store. */
export interface KeptHeight {
  snapshot: Snapshot
  height: number
  /** The head in that version. */
  head: number
}

/** Opens a kept height; the caller closes its snapshot. Refuses a height that is pruned or not there yet. */
export async function openHeight(store: Store, height: number): Promise<KeptHeight> {
  const snapshot = store.snapshot()
  try {
    const stored = await store.get(headKey, snapshot)
    const head = stored === undefined ? undefined : readHeight(stored)
    if (head === undefined || height > head) throw new AboveHead(height, head)
    const { oldest } = readBounds(await store.get(historyKey, snapshot))
    if (height < oldest) throw new Pruned(height, oldest)
    return { snapshot, height, head }
  } catch (error) {
    await snapshot.close()
    throw error
  }
}
/** The lowest height whose state can be read. */
export const readOldestState = (store: Store): number => readBounds(store.getSync(historyKey)).oldest

/** `height` undefined is the head as each call finds it. */
export function createStateView(store: Store, height: number | undefined): StateView {
  async function read<T>(use: (at: number, snapshot: Snapshot, isLatest: boolean) => Promise<T>): Promise<T> {
    const kept = height === undefined ? undefined : await openHeight(store, height)
    const snapshot = kept?.snapshot ?? store.snapshot()
    try {
      return await use(kept?.height ?? 0, snapshot, kept === undefined || kept.height === kept.head)
    } finally {
      await snapshot.close()
    }
  }
  return {
    get: (key) => read((at, snapshot, isLatest) => valueAt(store, snapshot, key, isLatest ? undefined : at)),
    scan: (prefix, from, limit) =>
      read((at, snapshot, isLatest) =>
        scanAt(store, snapshot, { prefix, from, limit, height: isLatest ? undefined : at }),
      ),
  }
}

async function valueAt(store: Store, snapshot: Snapshot, key: string, height: number | undefined) {
  const latestKey = stateKey(key)
  if (height !== undefined) {
    const bytes = latestKey.subarray(1)
    const cursor = store.cursor({ gte: undoKey(bytes, height + 1), lt: undoAfter(bytes), limit: 1, snapshot })
    try {
      const entry = await cursor.next()
      if (entry !== undefined) return oldValue(entry[1])
    } finally {
      await cursor.close()
    }
  }
  return (await store.get(latestKey, snapshot))?.toString('utf8')
}

/** What an undo entry says the value was. */
export const oldValue = (stored: Buffer): string | undefined =>
  stored[0] === 1 ? stored.toString('utf8', 1) : undefined

interface Scan {
  prefix: string
  from: string | undefined
  limit: number
  height: number | undefined
}

/** Merges the latest values with what changed since, both in the order of their keys' bytes. */
async function scanAt(store: Store, snapshot: Snapshot, { prefix, from, limit, height }: Scan) {
  const start = stateKey(prefix)
  const lt = after(start)
  const resume = from === undefined ? start : Buffer.concat([stateKey(from), Buffer.of(0)])
  const gte = Buffer.compare(resume, start) > 0 ? resume : start
  if (Buffer.compare(gte, lt) >= 0 || limit <= 0) return []
  const isLatest = height === undefined
  const latest = store.cursor({ gte, lt, ...(isLatest ? { limit } : {}), snapshot })
  // Keys from `gte` on: as `gte` is a whole key's bytes, its plain escaped form is where they begin.
  const changes = isLatest
    ? undefined
    : store.cursor({ gte: undoPrefix(gte.subarray(1)), lt: after(undoPrefix(start.subarray(1))), snapshot })
  const found: [string, string][] = []
  try {
    let value = await latest.next()
    let change = await nextChange(changes, height)
    while (found.length < limit && (value !== undefined || change !== undefined)) {
      const order = orderOf(value?.[0], change?.key)
      if (order < 0) found.push([readStateKey(value![0]), value![1].toString('utf8')])
      else if (change!.value !== undefined) found.push([change!.key.toString('utf8'), change!.value])
      if (order <= 0) value = await latest.next()
      if (order >= 0) change = await nextChange(changes, height)
    }
  } finally {
    await latest.close()
    await changes?.close()
  }
  return found
}

function orderOf(latestKey: Buffer | undefined, changedKey: Buffer | undefined): number {
  if (latestKey === undefined) return 1
  if (changedKey === undefined) return -1
  return Buffer.compare(latestKey.subarray(1), changedKey)
}

/** The next key that changed after `height`, and its value at that height; leaves the cursor at the key after it. */
async function nextChange(cursor: Cursor | undefined, height: number | undefined) {
  if (cursor === undefined || height === undefined) return undefined
  let entry = await cursor.next()
  while (entry !== undefined) {
    const { key, height: changed } = readUndoKey(entry[0])
    if (changed > height) {
      cursor.seek(undoAfter(key))
      return { key, value: oldValue(entry[1]) }
    }
    cursor.seek(undoKey(key, height + 1))
    entry = await cursor.next()
  }
  return undefined
}
