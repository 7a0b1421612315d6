// Mends the ledger folder of a stopped node (docs/data.md, "Repair"): the damaged one is set aside, and a new one is built of the
// longest row of blocks from the first on that prove themselves. State and indexes are made again by executing them, so nothing of the
// damage can live on in the new folder. What is missing behind that comes from peers at the next start.
//
// The new folder is built beside the old one and takes its place by a rename: whatever interrupts a repair, running it again ends it.
import { existsSync } from 'node:fs'
import { mkdir, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { LedgerForeign, LedgerLocked } from '../ledger/errors.ts'
import type { Fault } from '../ledger/fault.ts'
import { openLedger } from '../ledger/ledger.ts'
import { checkFolder } from '../ledger/opening.ts'
import { repairFolders, settleRepair } from '../ledger/repair-folders.ts'
import { type Salvage, salvage } from '../ledger/salvage.ts'
import { assertUnlocked } from '../ledger/store.ts'
import type { Genesis } from '../types/epoch.ts'
import type { Finding } from './finding.ts'
import { type BlockToTake, takeBlocks } from './import.ts'
import { networkOf } from './network.ts'

export interface RepairOptions {
  /** The ledger's folder. */
  directory: string
  genesis: Genesis
  historyBlocks: number
  keepBlocks?: number
  /** Threads that check signatures. */
  workers: number
  /** Keeps no block: all of them come from peers. */
  isFromPeersOnly: boolean
  now(): Date
  onStep?(text: string): void
  onProgress?(progress: { height: number; from: number; to: number; transactions: number }): void
}

export interface RepairReport {
  genesisHash: string
  /** `whole`: nothing was done. `finished`: an interrupted repair's last step was all that was missing. */
  outcome: 'whole' | 'finished' | 'repaired'
  /** What was wrong. */
  faults: Fault[]
  /** Where the damaged folder lies now. */
  setAside: string | null
  /** The height of the last block that was kept, proven and executed again; 0 is block 0, made from genesis. */
  kept: number
  /** The highest height of which anything was found in the damaged folder. */
  found: number
  /** Entries of evidence that were kept. */
  evidence: number
  /** Why the blocks end where they end. */
  ended: Finding | null
}

export async function repairLedger(options: RepairOptions): Promise<RepairReport> {
  const { directory, genesis } = options
  const { genesisHash } = networkOf(genesis)
  const report: RepairReport = {
    genesisHash,
    outcome: 'whole',
    faults: [],
    setAside: null,
    kept: 0,
    found: 0,
    evidence: 0,
    ended: null,
  }
  const { work, built } = repairFolders(directory)
  if (!existsSync(directory)) {
    if (await settleRepair(directory)) report.outcome = 'finished'
    else await rm(work, { recursive: true, force: true })
    return report
  }
  await assertUnlocked(directory)
  if (!options.isFromPeersOnly) {
    options.onStep?.('checking the ledger')
    report.faults = await checkFolder({ directory, genesisHash, isThorough: true })
    refuseWhatIsNoDamage(report.faults)
  }
  await rm(work, { recursive: true, force: true })
  if (!options.isFromPeersOnly && report.faults.length === 0) return report
  await build(options, work, report)
  await rename(join(work, 'building'), built)
  // Nothing kept a node from being started meanwhile, if the folder let it.
  await assertUnlocked(directory)
  report.setAside = await setAside(directory, options.now())
  await settleRepair(directory)
  report.outcome = 'repaired'
  return report
}

function refuseWhatIsNoDamage([fault]: Fault[]): void {
  if (fault?.code === 'LEDGER_LOCKED') throw new LedgerLocked(`${fault.reason}. ${fault.mend}`)
  if (fault?.code === 'LEDGER_FOREIGN') throw new LedgerForeign(`${fault.reason}. ${fault.mend}`)
}

async function build(options: RepairOptions, work: string, report: RepairReport): Promise<void> {
  const { directory, genesis, historyBlocks, keepBlocks, workers, onProgress } = options
  const building = join(work, 'building')
  await mkdir(building, { recursive: true, mode: 0o700 })
  options.onStep?.('saving what is whole')
  const saved = await salvage(directory, join(work, 'saved'))
  try {
    if (!options.isFromPeersOnly) {
      report.found = await saved.highest()
      const source = { first: 1, last: report.found, blocks: () => blocksOf(saved, report) }
      const given = { directory: building, genesis, historyBlocks, keepBlocks, workers, onProgress }
      const taken = await takeBlocks(given, source)
      report.kept = taken.head
      if (taken.fault !== null) {
        const { mend: _, ...finding } = taken.fault
        report.ended = finding
      }
    }
    report.evidence = await keepEvidence(saved, building, report.genesisHash)
  } finally {
    await saved.close()
  }
}

/** The blocks from the first on, up to the first that is not there or has no certificate. */
async function* blocksOf(saved: Salvage, report: RepairReport): AsyncGenerator<BlockToTake> {
  for (let height = 1; height <= report.found; height++) {
    const { header, blockHash, batch, receipts, certificate } = await saved.block(height)
    const missing =
      header === undefined || blockHash === undefined ? 'header' : batch === undefined ? 'batch' : undefined
    if (missing !== undefined || certificate === undefined) {
      report.ended = { height, part: `the ${missing ?? 'certificate'}`, expected: 'one that is whole', found: 'none' }
      return
    }
    yield { header: header!, blockHash: blockHash!, batch: batch!, receipts, certificate }
  }
}

/** Blocks come again from anywhere, evidence does not. */
async function keepEvidence(saved: Salvage, directory: string, genesisHash: string): Promise<number> {
  const entries = await saved.evidence()
  const ledger = await openLedger({ directory, genesisHash, tree: false })
  try {
    for (const entry of entries) await ledger.putEvidence(entry)
  } finally {
    await ledger.close()
  }
  return entries.length
}

async function setAside(directory: string, now: Date): Promise<string> {
  const time = now.toISOString().replace(/[-:]|\.\d+/g, '')
  for (let count = 1; ; count++) {
    const place = join(dirname(directory), `${basename(directory)}-damaged-${time}${count === 1 ? '' : `-${count}`}`)
    if (existsSync(place)) continue
    await rename(directory, place)
    return place
  }
}
