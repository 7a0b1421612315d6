// The last blocks that were read, decoded: clients that wait for transactions of one block all ask for it at the same moment.
import type { Ledger, StoredBlock } from './ledger/ledger.ts'

/** At 2 MiB a block, bytes and decoded receipts together, this stays below 100 MiB. */
const BLOCKS_MAX = 12

/** Reads blocks through a small cache. A block read before its certificate was stored is read again once it has one. */
export function createBlockCache(
  ledger: Pick<Ledger, 'block' | 'certifiedHeight'>,
): (height: number) => Promise<StoredBlock | undefined> {
  const cache = new Map<number, { block: Promise<StoredBlock | undefined>; isFinal: boolean }>()
  return (height) => {
    const isFinal = height <= ledger.certifiedHeight()
    const known = cache.get(height)
    if (known !== undefined && (known.isFinal || !isFinal)) return known.block
    const block = ledger.block(height)
    block.then(
      (found) => found === undefined && cache.delete(height),
      () => cache.delete(height),
    )
    cache.delete(height)
    cache.set(height, { block, isFinal })
    for (const oldest of cache.keys()) {
      if (cache.size <= BLOCKS_MAX) break
      cache.delete(oldest)
    }
    return block
  }
}
