// Opening a ledger as a start of a node does: nothing is opened or built on that is not whole (docs/data.md, "Start-up check").
import { faultOf } from './check.ts'
import { LedgerDamaged } from './errors.ts'
import type { Fault } from './fault.ts'
import { type Ledger, type LedgerOptions, openLedger } from './ledger.ts'
import { checkFiles } from './leveldb/files.ts'
import { assertUnlocked } from './store.ts'

/** Throws LedgerLocked, LedgerForeign, or LedgerDamaged with the first thing that is wrong. Checks the state where it opens with a tree. */
export async function openWholeLedger(options: LedgerOptions): Promise<Ledger> {
  await assertUnlocked(options.directory)
  refuse(await checkFiles(options.directory))
  const ledger = await openLedger(options)
  try {
    refuse(await ledger.check())
    return ledger
  } catch (error) {
    await ledger.close()
    throw error
  }
}

function refuse([fault]: readonly Fault[]): void {
  if (fault !== undefined)
    throw new LedgerDamaged(`The ledger is damaged: ${fault.thing}: ${fault.reason}. ${fault.mend}`)
}

/** Checks a folder that no process has open, as its start would, and says all it finds. */
export async function checkFolder(options: { directory: string; genesisHash: string }): Promise<Fault[]> {
  let ledger: Ledger | undefined
  try {
    await assertUnlocked(options.directory)
    const faults = await checkFiles(options.directory)
    if (faults.length > 0) return faults
    ledger = await openLedger({ ...options, tree: true })
    return await ledger.check()
  } catch (error) {
    return [faultOf(error)]
  } finally {
    await ledger?.close()
  }
}
