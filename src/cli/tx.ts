// `quorate tx`: transactions, from signing to looking at what became of them.
import { group, type Run } from './command.ts'
import { listCommand, showCommand } from './tx-look.ts'
import { replayCommand } from './tx-replay.ts'
import { sendCommand } from './tx-send.ts'
import { signCommand } from './tx-sign.ts'
import { submitCommand } from './tx-submit.ts'

export function txCommands(run: Run) {
  return group('tx', 'send transactions and look at their receipts', [
    sendCommand(run),
    signCommand(run),
    submitCommand(run),
    showCommand(run),
    replayCommand(run),
    listCommand(run),
  ])
}
