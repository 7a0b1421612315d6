// Whose ledger a folder holds, and in which format: the first entry written and the first one read.
import { fromHex, toHex } from '../types/hex.ts'
import { readHead } from './blocks.ts'
import { LedgerDamaged, LedgerForeign } from './errors.ts'
import { FORMAT_VERSION, formatKey } from './keys.ts'
import { missing, type Operation, type Store } from './store.ts'

export const formatOperation = (genesisHash: string): Operation => ({
  type: 'put',
  key: formatKey,
  value: Buffer.concat([Buffer.of(FORMAT_VERSION), fromHex(genesisHash)]),
})

/** Marks an empty folder as this network's, and refuses any other's. */
export async function claim(store: Store, directory: string, genesisHash: string): Promise<void> {
  const stored = await store.get(formatKey)
  if (stored === undefined) {
    if (readHead(store) !== undefined) throw missing('format entry, though it has a head')
    if (!(await isEmpty(store))) throw halfBuilt(directory)
    return store.write([formatOperation(genesisHash)])
  }
  if (stored[0] !== FORMAT_VERSION) {
    throw new LedgerForeign(
      `The ledger folder ${directory} is in format ${stored[0]}; this version reads format ${FORMAT_VERSION}. ` +
        'Run the version that wrote it, or move the folder aside and let the node fetch the blocks again.',
    )
  }
  const found = toHex(stored.subarray(1))
  if (found !== genesisHash) {
    throw new LedgerForeign(
      `The ledger folder ${directory} belongs to another network: its genesis hash is ${found}, this node's is ${genesisHash}. ` +
        'Start with the genesis file that made the folder, or with another home.',
    )
  }
}

async function isEmpty(store: Store): Promise<boolean> {
  const cursor = store.cursor({ gte: Buffer.of(0), lt: Buffer.of(0xff), limit: 1 })
  try {
    return (await cursor.next()) === undefined
  } finally {
    await cursor.close()
  }
}

/** A ledger that is built from a state gets its format entry last. */
function halfBuilt(directory: string): LedgerDamaged {
  return new LedgerDamaged(
    `The ledger folder ${directory} is half built: what made it from a snapshot or a backup was interrupted. Remove the folder and make it again.`,
  )
}
