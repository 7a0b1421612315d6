// What the commands of `quorate ledger` need of a home: where its ledger lies and which network it is of.
import { existsSync } from 'node:fs'
import type { HomePaths } from '../home/paths.ts'
import type { Genesis } from '../types/epoch.ts'
import { CliError } from './error.ts'

export interface LedgerHome {
  paths: HomePaths
  genesis: Genesis
  genesisHash: string
}

/** With `runs`, the network's contract engine must be this release's: blocks are run again. */
export async function openLedgerHome(home: string, { runs }: { runs: boolean }): Promise<LedgerHome> {
  const [{ homePaths }, { readGenesisFile }, { engineHash }] = await Promise.all([
    import('../home/paths.ts'),
    import('../home/genesis-file.ts'),
    import('../execution/engine-hash.ts'),
  ])
  const paths = homePaths(home)
  if (!existsSync(paths.home))
    throw new CliError('HOME_MISSING', `there is no node home at ${paths.home}: name the right folder with --home`)
  const context = runs ? { engineHash: engineHash() } : {}
  const { genesis, hash } = await readGenesisFile(paths.genesis, context, "copy the network's genesis.json there")
  return { paths, genesis, genesisHash: hash }
}

/** LevelDB would make a folder where there is none, and worse of one that is damaged. `isThorough`: batches and receipts too. */
export async function requireLedger({ paths }: LedgerHome, options: { isThorough?: boolean } = {}): Promise<void> {
  const [{ isUnmade }, { assertWholeFiles }] = await Promise.all([
    import('../ledger/leveldb/files.ts'),
    import('../ledger/opening.ts'),
  ])
  if (!(await isUnmade(paths.ledger))) return await assertWholeFiles(paths.ledger, options)
  const mend = 'start the node, which fetches the blocks, or import them with `quorate ledger import`'
  throw new CliError('LEDGER_MISSING', `there is no ledger at ${paths.ledger}: ${mend}`)
}
