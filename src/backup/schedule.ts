// When the next scheduled backup is due, and of which kind it is. The backups that are there say it, so a restart changes nothing.
import { type Backup, chainsOf } from './folder.ts'
import type { BackupKind } from './manifest.ts'

/** `backups` oldest first; `triedAt` is when the last attempt began, whatever came of it. In ms since 1970. */
export function dueAt(backups: Backup[], intervalMs: number, triedAt: number | undefined, now: number): number {
  const created = backups.map(({ manifest }) => Date.parse(manifest.created))
  // What lies in the future was said by a clock that has been put right since.
  const last = Math.max(...[...created, triedAt ?? Number.NEGATIVE_INFINITY].filter((at) => at <= now))
  return last === Number.NEGATIVE_INFINITY ? now : Math.max(now, last + intervalMs)
}

/** A chain has so many backups, the full one among them; then the next begins. */
export function nextKind(backups: Backup[], fullEvery: number): BackupKind {
  const newest = chainsOf(backups).at(-1)
  return newest === undefined || newest.length >= fullEvery ? 'full' : 'incremental'
}
