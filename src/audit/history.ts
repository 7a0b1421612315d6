// The state as it was: what each block is said to have replaced, taken back block by block from the head down, must give the state root
// of the block before; and nothing else may be kept of the past, as a read of an old height would take it for the value then.
import { oldValue } from '../ledger/history.ts'
import { kindRange, readUndoKey, undoKey, undoneKey, unpackKeys } from '../ledger/keys.ts'
import type { StateRoot } from '../ledger/state-root.ts'
import type { Range, Store } from '../ledger/store.ts'
import { type Finding, finding } from './finding.ts'
import { readHeader, unreadable } from './source.ts'

const PART = 'the history of the state'
/** Values that are fetched together. */
const BATCH_KEYS = 4_096

export interface HistoryOptions {
  store: Store
  /** The state at the head; it is the one at `oldest` afterwards. */
  state: StateRoot
  head: number
  /** The lowest height whose state can be read and whose header is kept. */
  oldest: number
  onHeight(height: number): void
}

export async function checkHistory({
  store,
  state,
  head,
  oldest,
  onHeight,
}: HistoryOptions): Promise<Finding | undefined> {
  for (let height = head; height > oldest; height--) {
    const wrong = await takeBack(store, state, height)
    if (wrong !== undefined) return wrong
    onHeight(height)
  }
  return await findSurplus(store, oldest, head)
}

async function takeBack(store: Store, state: StateRoot, height: number): Promise<Finding | undefined> {
  const keys = listOf(store, height)
  if ('part' in keys) return keys
  for (let from = 0; from < keys.length; from += BATCH_KEYS) {
    const some = keys.slice(from, from + BATCH_KEYS)
    const stored = await store.getMany(some.map((key) => undoKey(key, height))).catch(() => undefined)
    const entries: [string, string | null][] = []
    for (const [index, key] of some.entries()) {
      const value = stored === undefined ? readOne(store, key, height) : stored[index]
      if (value === undefined) return finding(height, partOf(key), 'an entry', 'none')
      if ('part' in value) return value
      entries.push([key.toString('utf8'), oldValue(value) ?? null])
    }
    state.add(entries)
  }
  const before = readHeader(store, height - 1)
  if ('part' in before) return before
  const [expected, found] = [before.header.stateRoot, state.root()]
  if (found === expected) return undefined
  return finding(height, `${PART} before it`, `the root ${expected}`, found)
}

const partOf = (key: Buffer): string => `${PART} key ${JSON.stringify(key.toString('utf8'))}`

/** The state keys that the block at `height` changed. */
function listOf(store: Store, height: number): Buffer[] | Finding {
  try {
    const stored = store.getSync(undoneKey(height))
    return stored === undefined ? [] : unpackKeys(stored)
  } catch (error) {
    const reason = unreadable(error)
    if (reason === undefined) throw error
    return finding(height, PART, 'an intact list of changed keys', reason)
  }
}

/** To say which of several is damaged. */
function readOne(store: Store, key: Buffer, height: number): Buffer | Finding | undefined {
  try {
    return store.getSync(undoKey(key, height))
  } catch (error) {
    const reason = unreadable(error)
    if (reason === undefined) throw error
    return finding(height, partOf(key), 'an intact entry', reason)
  }
}

/**
 * Entries that a read would take for an old value and that no list of the heights above `oldest` names. What these lists name is there, so
 * where there are as many of the one as of the other, they are the same; which one is too many is looked for only where they are not.
 */
async function findSurplus(store: Store, oldest: number, head: number): Promise<Finding | undefined> {
  let surplus = 0
  for await (const [key] of entriesOf(store, kindRange('undo'))) {
    const { height } = readUndoKey(key)
    if (height > head) return surplusAt(key)
    if (height > oldest) surplus++
  }
  const lists = { gte: undoneKey(oldest + 1), lt: undoneKey(head + 1) }
  for await (const [, list] of entriesOf(store, lists)) surplus -= unpackKeys(list).length
  if (surplus === 0) return undefined
  for await (const [stored] of entriesOf(store, kindRange('undo'))) {
    const { key, height } = readUndoKey(stored)
    const list = height > oldest ? listOf(store, height) : [key]
    if ('part' in list) return list
    if (!list.some((each) => each.equals(key))) return surplusAt(stored)
  }
  return undefined
}

function surplusAt(stored: Buffer): Finding {
  const { key, height } = readUndoKey(stored)
  return finding(height, partOf(key), 'no entry', 'one')
}

async function* entriesOf(store: Store, range: Range) {
  const cursor = store.cursor(range)
  try {
    for (let some = await cursor.take(BATCH_KEYS); some.length > 0; some = await cursor.take(BATCH_KEYS)) yield* some
  } finally {
    await cursor.close()
  }
}
