// What backups refuse: stable codes (docs/errors.md, "Backups"); each message names the thing, the reason and the mend.
import { join } from 'node:path'

/** Every code with its meaning. A test holds docs/errors.md to it. */
export const BACKUP_CODES = {
  BACKUP_EMPTY: 'There is nothing to back up: no block is certified in this home.',
  BACKUP_UNREADABLE: 'The folder is no backup, or one in a format that this version does not know.',
  BACKUP_FOREIGN: 'The backup is of another network than the home.',
  BACKUP_TRUNCATED: 'A file of the backup is missing or shorter than its manifest says.',
  BACKUP_EDITED: 'A file of the backup, or its manifest, is not what was written.',
  BACKUP_GAP: 'A backup that this one builds on is missing, or blocks between the two.',
  BACKUP_UNPROVEN: 'The bytes are those that were written, but the network did not certify what they say.',
  BACKUP_STOPPED: 'The node stopped before the backup was whole.',
} as const
export type BackupCode = keyof typeof BACKUP_CODES

export class BackupError extends Error {
  readonly code: BackupCode
  constructor(code: BackupCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'BackupError'
    this.code = code
  }
}

const ANOTHER = 'Restore another backup, or an untouched copy of this one'

export const edited = (folder: string, name: string, reason: string): BackupError =>
  new BackupError(
    'BACKUP_EDITED',
    `The backup file ${join(folder, name)} is not what was written: ${reason}. ${ANOTHER}.`,
  )

export const truncated = (folder: string, name: string, reason: string): BackupError =>
  new BackupError('BACKUP_TRUNCATED', `The backup file ${join(folder, name)} is not whole: ${reason}. ${ANOTHER}.`)

export const unproven = (folder: string, reason: string): BackupError =>
  new BackupError('BACKUP_UNPROVEN', `The backup ${folder} does not prove itself: ${reason}. ${ANOTHER}.`)
