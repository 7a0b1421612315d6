// Ledgers of real blocks with backups of them, and homes to restore them in.
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type CreateOptions, createBackup } from '../../src/backup/create.ts'
import { formatGenesis } from '../../src/genesis/document.ts'
import { openLedgerBuilder } from '../../src/ledger/builder.ts'
import { openLedgerView } from '../../src/ledger/view.ts'
import { batchCodec } from '../../src/types/block.ts'
import type { Genesis } from '../../src/types/epoch.ts'
import { decode } from '../../src/types/schema.ts'
import { decodeTransaction } from '../../src/types/transaction.ts'
import { type Made, makeLedger } from '../audit/chain.ts'

export interface Chain extends Made {
  /** The folder of its ledger. */
  directory: string
}

/** The first blocks of one chain: more of them are the same and then some. */
export async function chainOf(folder: string, blocks: number, options: { uncertified?: number } = {}): Promise<Chain> {
  const directory = join(folder, `ledger-${blocks}-${options.uncertified ?? 0}`)
  return { directory, ...(await makeLedger({ directory, blocks, transactionsPerBlock: 3, senders: 4, ...options })) }
}

export const genesisParts = (genesis: Genesis, hash: string): CreateOptions['genesis'] => ({
  text: formatGenesis(genesis),
  chainId: genesis.chainId,
  hash,
})

let seconds = 0

/** Each a second after the one before. */
export async function backUp(chain: Chain, root: string, options: Partial<CreateOptions> = {}) {
  const view = await openLedgerView({ directory: chain.directory, genesisHash: chain.genesisHash })
  await mkdir(root, { recursive: true })
  try {
    return await createBackup({
      view,
      genesis: genesisParts(chain.genesis, chain.genesisHash),
      root,
      kind: 'full',
      createdAt: Date.UTC(2026, 5, 1) + seconds++ * 1_000,
      isStopped: () => false,
      onProgress: () => {},
      ...options,
    })
  } finally {
    await view.close()
  }
}

export async function temporaryFolder(): Promise<{ path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'quorate-backup-'))
  return { path, remove: () => rm(path, { recursive: true, force: true }) }
}

/** A ledger of the chain that keeps only the blocks above `base`. */
export async function shortened(chain: Chain, directory: string, base: number): Promise<Chain> {
  const { genesisHash } = chain
  const view = await openLedgerView({ directory: chain.directory, genesisHash })
  const builder = await openLedgerBuilder(directory, genesisHash)
  const height = view.certifiedHeight()
  await builder.putState(await view.stateAt(height).scan('', undefined, 10_000))
  for (let at = base + 1; at <= height; at++) {
    const block = (await view.block(at))!
    const transactions = decode(batchCodec, block.batch)
      .txs.map(decodeTransaction)
      .map(({ sender, nonce, contract }, index) => ({ id: block.receipts[index]!.txId, sender, nonce, contract }))
    await builder.putBlocks([{ ...block, transactions, certificate: block.certificate! }])
  }
  await builder.finish(await view.certifiedHeader(height), base < height ? [await view.certifiedHeader(base)] : [])
  await view.close()
  return { ...chain, directory }
}
