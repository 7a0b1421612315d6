// `quorate genesis`: the document on which a network's organisations agree.
import { group, type Run } from './command.ts'
import { createCommand } from './genesis-create.ts'
import { addValidatorCommand, checkCommand, showCommand } from './genesis-look.ts'

export function genesisCommands(run: Run) {
  return group('genesis', "build and check a network's genesis document", [
    createCommand(run),
    addValidatorCommand(run),
    showCommand(run),
    checkCommand(run),
  ])
}
