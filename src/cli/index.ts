// The command line: which commands there are, and how a run of one ends. Each command's file loads what it needs when it runs, so
// that looking at something small stays quick.
import { Command, CommanderError } from 'commander'
import { VERSION } from '../version.ts'
import { accountCommand } from './account.ts'
import { backupCommands } from './backup.ts'
import { blockCommand, blocksCommand } from './blocks.ts'
import { addGlobalOptions, type Run } from './command.ts'
import { contractCommands } from './contract.ts'
import { devnetCommand } from './devnet.ts'
import { doctorCommand } from './doctor.ts'
import { describeError, describeStack, EXIT_OK, EXIT_USAGE, exitCodeOf, usage } from './error.ts'
import { eventsCommand } from './events.ts'
import { genesisCommands } from './genesis.ts'
import { initCommand } from './init.ts'
import type { Io } from './io.ts'
import { keysCommands } from './keys.ts'
import { ledgerCommands } from './ledger.ts'
import { peersCommand } from './peers.ts'
import { simulateCommand } from './simulate.ts'
import { snapshotCommands } from './snapshot.ts'
import { startCommand } from './start.ts'
import { stateCommands } from './state.ts'
import { statusCommand } from './status.ts'
import { txCommands } from './tx.ts'
import { validatorsCommand } from './validators.ts'
import { verifyCommand } from './verify.ts'
import { viewCommand } from './view.ts'

export type { Io } from './io.ts'
export { processIo } from './io.ts'

/** Runs one command line (without the program's own name) and gives its exit code. */
export async function runCli(argv: readonly string[], io: Io): Promise<number> {
  const run: Run = { io, exitCode: EXIT_OK, debug: argv.includes('--debug') }
  const program = createProgram(run)
  try {
    if (argv.length === 0) {
      io.err(program.helpInformation())
      return EXIT_USAGE
    }
    await program.parseAsync(argv, { from: 'user' })
    return run.exitCode
  } catch (error) {
    if (error instanceof CommanderError) return endOfParsing(error, io)
    io.err(`quorate: ${describeError(error)}\n`)
    if (run.debug) io.err(`${describeStack(error)}\n`)
    return exitCodeOf(error)
  }
}

function createProgram(run: Run): Command {
  const program = new Command('quorate')
    .description('A BFT ledger: run nodes, send transactions, look at what they agreed on.')
    .version(VERSION, '-V, --version', 'print the version')
    .helpCommand(false)
    .enablePositionalOptions()
  addGlobalOptions(program)
  program.commandsGroup('Networks and nodes:')
  for (const command of [
    devnetCommand(run),
    initCommand(run),
    genesisCommands(run),
    startCommand(run),
    simulateCommand(run),
  ])
    program.addCommand(command)
  program.commandsGroup('Keys, transactions and contracts:')
  for (const command of [keysCommands(run), txCommands(run), contractCommands(run)]) program.addCommand(command)
  program.commandsGroup('Reading the ledger:')
  for (const command of [
    viewCommand(run),
    stateCommands(run),
    accountCommand(run),
    blocksCommand(run),
    blockCommand(run),
    eventsCommand(run),
    verifyCommand(run),
  ]) {
    program.addCommand(command)
  }
  program.commandsGroup('Looking at nodes:')
  for (const command of [
    doctorCommand(run),
    statusCommand(run),
    peersCommand(run),
    validatorsCommand(run),
    ledgerCommands(run),
    snapshotCommands(run),
    backupCommands(run),
  ])
    program.addCommand(command)
  program.addCommand(helpCommand(program).helpGroup('Commands:'))
  prepare(program, run.io)
  return program
}

/** `help`, `help tx` and `help tx send`: commander's own looks at the first word only. */
function helpCommand(program: Command): Command {
  return new Command('help')
    .argument('[command...]')
    .description('show help for a command')
    .action((words: string[]) => {
      let command = program
      for (const word of words) {
        const inner = command.commands.find((one) => one.name() === word)
        if (inner === undefined) throw usage(`unknown command '${words.join(' ')}': see \`quorate help\``)
        command = inner
      }
      command.outputHelp()
    })
}

/** Commander prints nothing but help, and never ends the process: both are this file's to decide. */
function prepare(command: Command, io: Io): void {
  command.exitOverride().configureOutput({ writeOut: io.out, writeErr: io.err, outputError: () => {} })
  command.configureHelp({ helpWidth: 110 }).helpOption('-h, --help', 'show help')
  if (command.parent !== null && command.commands.length > 0)
    command.helpCommand('help [command]', 'show help for a command')
  for (const inner of command.commands) prepare(inner, io)
}

function endOfParsing(error: CommanderError, io: Io): number {
  if (error.code === 'commander.helpDisplayed' || error.code === 'commander.version') return EXIT_OK
  // A group without a command has shown its help on stderr already.
  if (error.code === 'commander.help') return error.exitCode === 0 ? EXIT_OK : EXIT_USAGE
  const reason = error.message
    .replace(/^error: /, '')
    .replace(/\s*\n\s*/g, ' ')
    .replace(/\.$/, '')
  io.err(`quorate: ${reason}: see \`quorate help\` or --help of the command (USAGE)\n`)
  return EXIT_USAGE
}
