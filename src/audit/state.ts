// The stored state: is it the one that the head's header names, and where is it not the one that executing every block gives?
import { kindRange, readStateKey } from '../ledger/keys.ts'
import { createStateRoot, type StateRoot } from '../ledger/state-root.ts'
import type { Store } from '../ledger/store.ts'
import { type Finding, finding } from './finding.ts'
import { unreadable } from './source.ts'

const CHUNK_KEYS = 65_536
const PART = 'the state'

/** The tree of all stored values, and how many there are. */
export async function treeOfState(
  store: Store,
  height: number,
  onKeys: (keys: number) => void,
): Promise<{ state: StateRoot; keys: number } | Finding> {
  const state = createStateRoot()
  const cursor = store.cursor(kindRange('state'))
  let keys = 0
  let last = 'its first key'
  try {
    let chunk: [string, string][] = []
    for (let entry = await cursor.next(); entry !== undefined; entry = await cursor.next()) {
      last = JSON.stringify(readStateKey(entry[0]))
      chunk.push([readStateKey(entry[0]), entry[1].toString('utf8')])
      keys++
      if (chunk.length < CHUNK_KEYS) continue
      state.add(chunk)
      chunk = []
      onKeys(keys)
    }
    state.add(chunk)
    return { state, keys }
  } catch (error) {
    const reason = unreadable(error)
    if (reason === undefined) throw error
    return finding(height, `${PART} after ${last}`, 'an intact entry', reason)
  } finally {
    await cursor.close()
  }
}

/** The first key in which the stored state differs from the one that came out of executing the blocks. */
export async function compareStates(stored: Store, executed: Store, height: number): Promise<Finding | undefined> {
  const [left, right] = [stored.cursor(kindRange('state')), executed.cursor(kindRange('state'))]
  try {
    for (;;) {
      const [found, expected] = await Promise.all([left.next(), right.next()])
      if (found === undefined && expected === undefined) return undefined
      const order = orderOf(found?.[0], expected?.[0])
      if (order === 0 && found![1].equals(expected![1])) continue
      const key = readStateKey((order <= 0 ? found : expected)![0])
      const value = (entry: [Buffer, Buffer] | undefined) =>
        entry === undefined ? 'no value' : entry[1].toString('utf8')
      const part = `the state key ${JSON.stringify(key)}`
      return finding(height, part, order < 0 ? 'no value' : value(expected), order > 0 ? 'no value' : value(found))
    }
  } finally {
    await left.close()
    await right.close()
  }
}

function orderOf(found: Buffer | undefined, expected: Buffer | undefined): number {
  if (found === undefined) return 1
  return expected === undefined ? -1 : Buffer.compare(found, expected)
}
