// Opening a ledger as a start of a node does: nothing is opened or built on that is not whole (docs/data.md, "Start-up check").
import { existsSync } from 'node:fs'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { faultOf, THE_FOLDER } from './check.ts'
import { LedgerDamaged, LedgerLocked } from './errors.ts'
import type { Fault } from './fault.ts'
import { type Ledger, type LedgerOptions, openLedger } from './ledger.ts'
import { checkFiles } from './leveldb/files.ts'
import { assertUnlocked } from './store.ts'

export interface WholeOptions extends LedgerOptions {
  /** Another thread of this process has it open, and has looked at the files before. */
  isOpen?: boolean
}

/**
 * Throws LedgerLocked, LedgerForeign, or LedgerDamaged with the first thing that is wrong. Checks the state where it opens with a tree.
 *
 * A damaged block of batches or receipts can end the process within LevelDB, which asserts what it reads. While the ledger is open a
 * mark lies beside the folder, and a start that finds one, since the last run did not end in order, looks at these blocks too: whatever ended
 * the process does so once.
 */
export async function openWholeLedger({ isOpen = false, ...options }: WholeOptions): Promise<Ledger> {
  const mark = markOf(options.directory)
  const isThorough = !isOpen && existsSync(mark)
  if (!isOpen) {
    await assertUnlocked(options.directory)
    refuse(await checkFiles(options.directory, { isThorough }))
    await mkdir(dirname(mark), { recursive: true, mode: 0o700 })
    await writeFile(mark, '')
  }
  const ledger = await openLedger(options)
  try {
    refuse(await ledger.check())
    // A compaction writes what it read with checksums of its own: only the values' are left to tell.
    if (isThorough) refuse(await ledger.checkBodies())
  } catch (error) {
    await ledger.close()
    throw error
  }
  return isOpen ? ledger : unmarking(ledger, mark)
}

/**
 * Throws LedgerDamaged where the files of a stopped node's folder are not whole, before a command opens it: LevelDB would delete what a
 * damaged MANIFEST does not name, and may end the process within a damaged block. A folder that is open elsewhere is left to be refused
 * for that.
 */
export async function assertWholeFiles(
  directory: string,
  { isThorough = existsSync(markOf(directory)) } = {},
): Promise<void> {
  try {
    await assertUnlocked(directory)
  } catch (error) {
    if (error instanceof LedgerLocked) return
    throw error
  }
  refuse(await checkFiles(directory, { isThorough }))
}

const markOf = (directory: string): string => `${directory}.open`

/** Takes the mark away once the ledger is closed in order, unless a block could not be written. */
function unmarking(ledger: Ledger, mark: string): Ledger {
  let isSound = true
  return {
    ...ledger,
    async commitBlock(block) {
      try {
        await ledger.commitBlock(block)
      } catch (error) {
        isSound = false
        throw error
      }
    },
    async close() {
      await ledger.close()
      if (isSound) await rm(mark, { force: true })
    },
  }
}

function refuse([fault]: readonly Fault[]): void {
  if (fault === undefined) return
  const { thing, reason, mend } = fault
  throw new LedgerDamaged(`The ledger is damaged: ${thing === THE_FOLDER ? reason : `${thing}: ${reason}`}. ${mend}`)
}

export interface FolderOptions {
  directory: string
  genesisHash: string
  /** Old batches and receipts too, which a start leaves to be checked when they are read. */
  isThorough?: boolean
}

/** Checks a folder that no process has open, as its start would, and says all it finds. */
export async function checkFolder({ directory, genesisHash, isThorough = false }: FolderOptions): Promise<Fault[]> {
  let ledger: Ledger | undefined
  try {
    await assertUnlocked(directory)
    const faults = await checkFiles(directory, { isThorough })
    if (faults.length > 0) return faults
    ledger = await openLedger({ directory, genesisHash, tree: true })
    return [...(await ledger.check()), ...(isThorough ? await ledger.checkBodies() : [])]
  } catch (error) {
    return [faultOf(error)]
  } finally {
    await ledger?.close()
  }
}
