// The state in the order of its paths: the path index `p`, which has every key of every kept height, and beside it the keys' values.
import { type KeptHeight, oldValue } from './history.ts'
import { kindRange, kinds, pathRange, readUndoKey, undoKey, undoneKey, unpackKeys } from './keys.ts'
import { type Cursor, missing, type Store } from './store.ts'

export interface Leaf {
  /** SHA-256 of the key. */
  path: Buffer
  key: string
  value: string
}

/** Which leaves: all below the first `bits` of a path. */
export interface LeafRange {
  path: Uint8Array
  bits: number
}

/** Keys whose values are fetched together. */
const BATCH_KEYS = 256
/** Up to so many blocks behind the head, the blocks' own lists say which values changed since; farther, each key's history does. */
const LISTED_BLOCKS_MAX = 4
/** As many as Node's pool has threads unless told otherwise. */
const CURSORS = 4

/** The leaves after the block at `height`, in path order. */
export async function* readLeaves(store: Store, at: KeptHeight, { path, bits }: LeafRange): AsyncGenerator<Leaf> {
  const changedSince = await createChangeReader(store, at)
  const cursor = store.cursor({ ...pathRange(path, bits), snapshot: at.snapshot })
  try {
    for (let entries = await cursor.take(BATCH_KEYS); entries.length > 0; entries = await cursor.take(BATCH_KEYS)) {
      const keys = entries.map(([, key]) => key)
      const latest = await store.getMany(keys.map(latestKey), at.snapshot)
      const changed = await changedSince.read(keys)
      for (const [index, [path, key]] of entries.entries()) {
        const value = changed.has(index) ? changed.get(index) : latest[index]?.toString('utf8')
        if (value !== undefined) yield { path: path.subarray(1), key: key.toString('utf8'), value }
      }
    }
  } finally {
    await cursor.close()
    await changedSince.close()
  }
}

const statePrefix = Buffer.from(kinds.state, 'latin1')
const latestKey = (key: Buffer): Buffer => Buffer.concat([statePrefix, key])

/** Says of keys, by their index, which have changed since the height, and what their values then were. */
interface ChangeReader {
  read(keys: readonly Buffer[]): Promise<Map<number, string | undefined>>
  close(): Promise<void>
}

async function createChangeReader(store: Store, at: KeptHeight): Promise<ChangeReader> {
  return at.head - at.height > LISTED_BLOCKS_MAX ? readHistories(store, at) : readLists(store, at)
}

/** By the lists of what each later block changed. */
async function readLists(store: Store, { snapshot, height, head }: KeptHeight): Promise<ChangeReader> {
  const firstChange = new Map<string, number>()
  for (let later = head; later > height; later--) {
    const stored = await store.get(undoneKey(later), snapshot)
    if (stored === undefined) continue
    for (const key of unpackKeys(stored)) firstChange.set(key.toString('latin1'), later)
  }
  return {
    async read(keys) {
      const places: [index: number, undo: Buffer][] = []
      for (const [index, key] of firstChange.size === 0 ? [] : keys.entries()) {
        const changed = firstChange.get(key.toString('latin1'))
        if (changed !== undefined) places.push([index, undoKey(key, changed)])
      }
      const stored =
        places.length === 0
          ? []
          : await store.getMany(
              places.map(([, undo]) => undo),
              snapshot,
            )
      return new Map(
        places.map(([index, undo], place) => {
          const value = stored[place]
          if (value === undefined) throw missing(`undo entry ${undo.toString('hex')}`)
          return [index, oldValue(value)]
        }),
      )
    },
    close: async () => undefined,
  }
}

/** By each key's own history, some keys at a time: a cursor has to go to each one's place. */
async function readHistories(store: Store, { snapshot, height }: KeptHeight): Promise<ChangeReader> {
  const cursors = Array.from({ length: CURSORS }, () => store.cursor({ ...kindRange('undo'), snapshot }))
  return {
    async read(keys) {
      const changed = new Map<number, string | undefined>()
      const readShare = async (cursor: Cursor, first: number) => {
        for (let index = first; index < keys.length; index += CURSORS) {
          const key = keys[index]!
          cursor.seek(undoKey(key, height + 1))
          const entry = await cursor.next()
          if (entry !== undefined && readUndoKey(entry[0]).key.equals(key)) changed.set(index, oldValue(entry[1]))
        }
      }
      await Promise.all(cursors.map(readShare))
      return changed
    },
    async close() {
      await Promise.all(cursors.map((cursor) => cursor.close()))
    },
  }
}
