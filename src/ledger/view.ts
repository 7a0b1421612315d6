// One unchanging moment of a ledger, for whoever reads all of it for long: blocks and state that are committed or pruned meanwhile do
// not show.
import { createBlockReader, readHead, readOldest, readOldestBlock } from './blocks.ts'
import type { CertifiedHeader } from './builder.ts'
import { claim } from './format.ts'
import { createStateView } from './history.ts'
import { certifiedKey, heightKey, readHeight } from './keys.ts'
import { missing, openStore, type Store } from './store.ts'

export interface LedgerView extends ReturnType<typeof createView> {}

/** Opens a handle of its own on the folder. Close it: what it pins LevelDB cannot compact away. */
export async function openLedgerView(options: { directory: string; genesisHash: string }): Promise<LedgerView> {
  const store = await openStore(options.directory)
  try {
    await claim(store, options.directory, options.genesisHash)
    return createView(store)
  } catch (error) {
    await store.close()
    throw error
  }
}

function createView(store: Store) {
  const snapshot = store.snapshot()
  // Readers that take a snapshot of their own are given this one all the same.
  const pinned: Store = {
    ...store,
    get: (key) => store.get(key, snapshot),
    getSync: (key) => store.getSync(key, snapshot),
    getMany: (keys) => store.getMany(keys, snapshot),
    cursor: (range) => store.cursor({ ...range, snapshot }),
  }
  const reader = createBlockReader(pinned)
  const oldestHeight = readOldest(pinned)

  async function certifiedHeader(height: number): Promise<CertifiedHeader> {
    const [header, certificate] = [await reader.header(height), await reader.certificate(height)]
    if (header === undefined || certificate === undefined) throw missing(`certified header of block ${height}`)
    return { header, certificate }
  }

  return {
    ...reader,
    head: () => readHead(pinned),
    certifiedHeight(): number {
      const stored = pinned.getSync(certifiedKey)
      return stored === undefined ? 0 : readHeight(stored)
    },
    /** As of a ledger. */
    oldestHeight: (): number => oldestHeight,
    oldestBlock: (): number => readOldestBlock(pinned),
    stateAt: (height: number) => createStateView(pinned, height),
    certifiedHeader,
    /** Of blocks that are pruned themselves: the last of each epoch, and the base. Lowest first. */
    async keptHeaders(): Promise<CertifiedHeader[]> {
      const kept: CertifiedHeader[] = []
      const cursor = pinned.cursor({ gte: heightKey('header', 1), lt: heightKey('header', oldestHeight + 1) })
      try {
        for (let entry = await cursor.next(); entry !== undefined; entry = await cursor.next()) {
          const height = readHeight(entry[0], 1)
          const isBase = height === oldestHeight
          if (isBase || (await reader.header(height))?.epochEnd === height) kept.push(await certifiedHeader(height))
        }
      } finally {
        await cursor.close()
      }
      return kept
    },
    async close(): Promise<void> {
      await snapshot.close()
      await store.close()
    },
  }
}
