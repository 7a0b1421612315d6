// Ledgers of real blocks with backups of them, and homes to restore them in.
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type CreateOptions, createBackup } from '../../src/backup/create.ts'
import { formatGenesis } from '../../src/genesis/document.ts'
import { openLedgerView } from '../../src/ledger/view.ts'
import type { Genesis } from '../../src/types/epoch.ts'
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
      now: () => Date.UTC(2026, 5, 1) + seconds++ * 1_000,
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
