// Writes the certified blocks of a ledger that no node has open into a block file.
import { createBlockFile } from '../ledger/block-file.ts'
import { placed } from '../ledger/errors.ts'
import { openLedger } from '../ledger/ledger.ts'
import type { Genesis } from '../types/epoch.ts'
import { networkOf } from './network.ts'

export interface ExportProgress {
  height: number
  from: number
  to: number
  transactions: number
}

export interface ExportOptions {
  directory: string
  genesis: Genesis
  /** The new file. */
  file: string
  /** The first and the last height; the oldest block kept and the certified height unless given. */
  from?: number | undefined
  until?: number | undefined
  onProgress?(progress: ExportProgress): void
}

export interface ExportReport {
  genesisHash: string
  from: number
  until: number
  blocks: number
  transactions: number
  bytes: number
}

/** Heights that were asked for and are not there. */
export class ExportRefused extends Error {
  readonly code = 'NO_SUCH_BLOCKS'
  constructor(message: string) {
    super(message)
    this.name = 'ExportRefused'
  }
}

export async function exportBlocks(options: ExportOptions): Promise<ExportReport> {
  const { directory, genesis, file, onProgress } = options
  const { genesisHash } = networkOf(genesis)
  const ledger = await openLedger({ directory, genesisHash, tree: false })
  try {
    const [oldest, certified] = [ledger.oldestBlock(), ledger.certifiedHeight()]
    const { from = oldest, until = certified } = options
    if (from < oldest || until > certified || from > until) {
      const there = oldest > certified ? 'it has no whole certified block' : `it has ${oldest} to ${certified}`
      throw new ExportRefused(
        `The certified blocks ${from} to ${until} are not in this ledger: ${there}. Choose among these.`,
      )
    }
    const writer = await createBlockFile(file, genesisHash)
    let transactions = 0
    try {
      for (let height = from; height <= until; height++) {
        const block = await ledger.block(height)
        if (block === undefined) throw new Error(`the ledger has no block ${height} below its certified height`)
        const { header, batch, receipts, certificate = null } = block
        await writer.append({ header, batch, receipts, certificate })
        transactions += receipts.length
        onProgress?.({ height, from, to: until, transactions })
      }
      const { blocks, bytes } = await writer.finish()
      return { genesisHash, from, until, blocks, transactions, bytes }
    } catch (error) {
      await writer.abandon()
      throw placed(error, file)
    }
  } finally {
    await ledger.close()
  }
}
