// `quorate backup`: copies of a node's ledger, made while it runs, that prove themselves when they are restored.
import { createCommand } from './backup-create.ts'
import { listCommand } from './backup-list.ts'
import { restoreCommand } from './backup-restore.ts'
import { group, type Run } from './command.ts'

export function backupCommands(run: Run) {
  return group('backup', "back up a node's ledger, running or stopped, and restore it", [
    createCommand(run),
    listCommand(run),
    restoreCommand(run),
  ])
}
