// Whose ledger a folder holds, and in which format: the first entry written and the first one read.
import { fromHex, toHex } from '../types/hex.ts'
import { readHead } from './blocks.ts'
import { LedgerForeign } from './errors.ts'
import { FORMAT_VERSION, formatKey } from './keys.ts'
import { missing, type Store } from './store.ts'

/** Marks an empty folder as this network's, and refuses any other's. */
export async function claim(store: Store, directory: string, genesisHash: string): Promise<void> {
  const stored = await store.get(formatKey)
  if (stored === undefined) {
    if (readHead(store) !== undefined) throw missing('format entry, though it has a head')
    const value = Buffer.concat([Buffer.of(FORMAT_VERSION), fromHex(genesisHash)])
    return store.write([{ type: 'put', key: formatKey, value }])
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
