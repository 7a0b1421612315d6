// A ledger out of a backup. Nothing in the backup is believed: the manifests' hashes tell an accident or an edit early and by name, and
// what the blocks and the state say is taken only where certificates of this genesis document's validators prove it. The full backup's
// state is taken as proven; the blocks after it are executed, and every one must come out as certified.
import { mkdir, readdir, rename, rm, rmdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { startExecution } from '../audit/execution.ts'
import { networkOf } from '../audit/network.ts'
import { createVerifier } from '../crypto/verifier.ts'
import { refuseOccupied } from '../ledger/builder.ts'
import { openLedger } from '../ledger/ledger.ts'
import { assertUnlocked } from '../ledger/store.ts'
import { syncFile, syncFolder } from '../synced.ts'
import type { Certificate } from '../types/block.ts'
import type { Genesis } from '../types/epoch.ts'
import { type CheckedBlock, createBlockCheck } from './blocks.ts'
import { buildFrom } from './build.ts'
import { checkBackupFiles, checkChain, checkNetwork } from './check.ts'
import { unproven } from './error.ts'
import { type Backup, readBackup, readChain } from './folder.ts'

export type RestorePhase = 'files' | 'state' | 'blocks' | 'execution'

export interface RestoreOptions {
  /** The last backup to restore; those it continues are looked for beside it. */
  from: string
  /** The ledger folder to make; absent or empty. */
  ledger: string
  genesis: Genesis
  historyBlocks: number
  /** Threads that check signatures. */
  verifiers: number
  /** Of files, bytes; of the state, chunks; else blocks. */
  onProgress(phase: RestorePhase, done: number, total: number): void
}

export interface Restored {
  /** Names, the full one first. */
  backups: string[]
  /** The lowest height whose block is there, and the head. */
  oldestBlock: number
  height: number
  blockHash: string
  /** Blocks that were executed again. */
  executed: number
}

/** Certificates put in one write. */
const CERTIFICATES_MAX = 256

/** All or nothing. Throws BackupError, LedgerOccupied or LedgerLocked. */
export async function restoreBackup(options: RestoreOptions): Promise<Restored> {
  const { ledger } = options
  await refuseOccupied(ledger)
  const network = networkOf(options.genesis)
  const last = await readBackup(options.from)
  checkNetwork(last, network)
  const chain = await readChain(last)
  checkChain(chain, network)
  await checkBackupFiles(chain, network, options.onProgress)
  const building = `${ledger}-restoring`
  // Another process may be restoring here too.
  await assertUnlocked(building)
  await rm(building, { recursive: true, force: true })
  await mkdir(dirname(ledger), { recursive: true, mode: 0o700 })
  const verifier = createVerifier({ workers: options.verifiers })
  const check = createBlockCheck(network, verifier.verifyBatch)
  try {
    const full = chain[0]!
    const oldestBlock = await buildFrom({ full, directory: building, network, check, onProgress: options.onProgress })
    const executed = await execute(chain.slice(1), building, { ...options, network, check })
    await syncAll(building)
    // Long after the first look.
    await refuseOccupied(ledger)
    await rmdir(ledger).catch(ignoreMissing)
    await rename(building, ledger)
    await syncFolder(dirname(ledger))
    const { to, blockHash } = last.manifest
    return { backups: chain.map(({ name }) => name), oldestBlock, height: to, blockHash, executed }
  } catch (error) {
    await rm(building, { recursive: true, force: true })
    throw error
  } finally {
    await verifier.close()
  }
}

interface ExecuteOptions extends RestoreOptions {
  network: ReturnType<typeof networkOf>
  check: ReturnType<typeof createBlockCheck>
}

/** Runs the blocks of the incremental backups on the ledger, and keeps their certificates. */
async function execute(chain: Backup[], directory: string, options: ExecuteOptions): Promise<number> {
  if (chain.length === 0) return 0
  const total = chain.at(-1)!.manifest.to - chain[0]!.manifest.from + 1
  let runner: Awaited<ReturnType<typeof startRunner>> | undefined
  let done = 0
  try {
    for (const backup of chain) {
      await options.check.blocksOf(backup, async (block) => {
        // Only now: what is refused before its first block has passed need not start a sandbox.
        runner ??= await startRunner(directory, options)
        await runner.run(backup, block)
        options.onProgress('execution', ++done, total)
      })
    }
    await runner?.finish()
  } finally {
    await runner?.close()
  }
  return done
}

async function startRunner(directory: string, { network, historyBlocks }: ExecuteOptions) {
  const execution = await startExecution({ network, directory, historyBlocks, offline: 'import' })
  const ledger = await openLedger({ directory, genesisHash: network.genesisHash, tree: false, isDurable: false })
  let certificates: Certificate[] = []
  async function putCertificates(): Promise<void> {
    await ledger.putCertificates(certificates)
    certificates = []
  }
  return {
    async run({ folder }: Backup, block: CheckedBlock): Promise<void> {
      const wrong = await execution.run(block)
      if (wrong !== undefined) {
        const { height, part, expected, found } = wrong
        throw unproven(folder, `block ${height}, ${part}: expected ${expected}, found ${found}`)
      }
      certificates.push(block.certificate!)
      if (certificates.length >= CERTIFICATES_MAX) await putCertificates()
    },
    finish: putCertificates,
    async close(): Promise<void> {
      await ledger.close()
      await execution.close()
    },
  }
}

/** What was executed was left to the system to write. */
async function syncAll(directory: string): Promise<void> {
  for (const name of await readdir(directory)) await syncFile(join(directory, name))
  await syncFolder(directory)
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code === 'ENOENT') return
  throw error
}
