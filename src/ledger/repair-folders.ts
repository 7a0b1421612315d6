// Where `quorate ledger repair` builds, and the last step of it, which whoever comes next can end: the command itself, or a start.
import { existsSync } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { syncFolder } from '../synced.ts'

/** `built` is the new ledger once it is whole. */
export function repairFolders(ledger: string): { work: string; built: string } {
  const work = `${ledger}-repair`
  return { work, built: join(work, 'built') }
}

/**
 * Puts a repaired ledger in its place where the damaged one has been moved aside; true where it did. What else an interrupted repair leaves is
 * the next one's to remove: it may be at work.
 */
export async function settleRepair(ledger: string): Promise<boolean> {
  const { work, built } = repairFolders(ledger)
  if (existsSync(ledger) || !existsSync(built)) return false
  await rename(built, ledger)
  await syncFolder(dirname(ledger))
  await rm(work, { recursive: true, force: true })
  return true
}
