// `quorate ledger`: what an operator does with the ledger of a node that is stopped.
import { group, type Run } from './command.ts'
import { exportCommand } from './ledger-export.ts'
import { importCommand } from './ledger-import.ts'
import { pruneCommand } from './ledger-prune.ts'
import { repairCommand } from './ledger-repair.ts'
import { verifyCommand } from './ledger-verify.ts'

export function ledgerCommands(run: Run) {
  return group('ledger', "audit, move, prune and mend a stopped node's ledger", [
    verifyCommand(run),
    exportCommand(run),
    importCommand(run),
    pruneCommand(run),
    repairCommand(run),
  ])
}
