// Puts a ledger made of a snapshot in the place of the one that is there, so that a crash at any point leaves the one or the other.
//
// The mark is written once the new one is whole and closed. From then on every start goes on with the change where it was: the old
// folder aside, the new one in its place, the mark away. Without a mark a new one is a leftover and is removed.
import { existsSync } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { assertUnlocked } from './ledger/store.ts'
import { syncFolder, writeSynced } from './synced.ts'

export interface SwapPaths {
  data: string
  ledger: string
  ledgerIncoming: string
  ledgerReplaced: string
  ledgerSwap: string
}

/** Called with everything closed that holds a file of either ledger. */
export async function swapLedger(paths: SwapPaths): Promise<void> {
  await markSwap(paths)
  await settleSwap(paths)
}

export async function markSwap({ data, ledgerSwap, ledgerReplaced }: SwapPaths): Promise<void> {
  await rm(ledgerReplaced, { recursive: true, force: true })
  await writeSynced(ledgerSwap, '', { flag: 'w' })
  await syncFolder(data)
}

/**
 * Before the ledger is opened: ends a change that was begun, removes what is left of one that was not. True where a ledger was changed.
 * Throws LedgerLocked where another process is making a ledger in this home.
 */
export async function settleSwap(paths: SwapPaths): Promise<boolean> {
  const { data, ledger, ledgerIncoming, ledgerReplaced, ledgerSwap } = paths
  await assertUnlocked(ledgerIncoming)
  const isMarked = existsSync(ledgerSwap)
  if (isMarked && existsSync(ledgerIncoming)) {
    if (existsSync(ledger)) await rename(ledger, ledgerReplaced)
    await rename(ledgerIncoming, ledger)
    await syncFolder(data)
  }
  if (isMarked) {
    await rm(ledgerSwap)
    await syncFolder(data)
  }
  await rm(ledgerIncoming, { recursive: true, force: true })
  await rm(ledgerReplaced, { recursive: true, force: true })
  return isMarked
}
