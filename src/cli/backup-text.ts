// One backup as text.
import type { BackupView } from '../api/port.ts'

export const backupFields = ({ folder, kind, from, to, blockHash, bytes }: BackupView): [string, string][] => [
  ['backup', folder],
  ['kind', kind],
  ['blocks', blocksText(from, to)],
  ['block hash', blockHash],
  ['size', `${bytes} bytes`],
]

/** A full one of a ledger that keeps no block has the state alone. */
export const blocksText = (from: number, to: number): string =>
  from > to ? `none, the state after ${to}` : `${from} to ${to}`
