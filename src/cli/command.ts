// How one command is declared: commander parses, a handler does the work, and what it returns or throws becomes the exit code.
import { Command, Option } from 'commander'
import { type CommonOptions, type Context, createContext, DEFAULT_NODE } from './context.ts'
import { EXIT_OK } from './error.ts'
import type { Io } from './io.ts'

/** Positional arguments in order, absent ones undefined; options as commander names them; the exit code unless 0. */
export type Handler<Options> = (
  context: Context,
  args: (string | undefined)[],
  options: Options,
) => Promise<number | undefined> | Promise<void>

/** One run of the command line: where handlers print, and the exit code they leave. */
export interface Run {
  readonly io: Io
  exitCode: number
  /** Set before a handler starts, for whoever reports its error. */
  debug: boolean
}

/** Which of the common options a command has. Every command has --json and --debug. */
export type Needs = 'node' | 'keystore' | 'from' | 'passphrase'

const GROUP = 'Common options:'

const COMMON: Record<Needs | 'json' | 'debug', () => Option> = {
  json: () => new Option('--json', 'print one JSON document on stdout'),
  debug: () => new Option('--debug', 'add the stack to an error'),
  node: () =>
    new Option('--node <url>', `a node's API, or several with commas (QUORATE_NODE; default ${DEFAULT_NODE})`),
  keystore: () =>
    new Option(
      '--keystore <dir>',
      "folder of keys (QUORATE_KEYSTORE; default the local devnet's, else ~/.quorate/keystore)",
    ),
  from: () => new Option('--from <key>', 'name of the key that signs'),
  passphrase: () =>
    new Option('--passphrase-file <file>', 'read the passphrase from a file (or set QUORATE_PASSPHRASE)'),
}

/** A command of its own, with the common options it needs at the end of its help. */
export function define<Options = Record<string, never>>(
  run: Run,
  signature: string,
  description: string,
  parts: { needs?: Needs[]; set?: (command: Command) => void; handle: Handler<Options> },
): Command {
  const [name, ...words] = signature.split(' ')
  const command = new Command(name).description(description)
  for (const word of words) command.argument(word)
  parts.set?.(command)
  for (const need of ['json', 'debug', ...(parts.needs ?? [])] as const)
    command.addOption(COMMON[need]().helpGroup(GROUP))
  command.action(async (...received: unknown[]) => {
    // Commander passes the arguments, the options and the command.
    const args = received.slice(0, -2) as (string | undefined)[]
    const options = { ...globalOptions(command), ...command.opts<CommonOptions & Options>() }
    run.debug = options.debug ?? false
    const exitCode = await parts.handle(createContext(run.io, commonOf(command, options)), args, options)
    run.exitCode = exitCode ?? EXIT_OK
  })
  return command
}

/** Gathers an option that may be given more than once. */
export const collect = (value: string, earlier: string[] = []): string[] => [...earlier, value]

/** Several commands under one name. */
export function group(name: string, description: string, commands: Command[]): Command {
  const parent = new Command(name).description(description).enablePositionalOptions()
  for (const command of commands) parent.addCommand(command)
  return parent
}

/** The common options may also stand before the command. */
export function addGlobalOptions(program: Command): void {
  for (const option of Object.values(COMMON)) program.addOption(option().hideHelp())
}

function globalOptions(command: Command): CommonOptions {
  let root: Command = command
  while (root.parent !== null) root = root.parent
  return root.opts<CommonOptions>()
}

/** `blocks --from` is a height, not a key: only what a command declares as common counts as such. */
function commonOf(command: Command, options: CommonOptions): CommonOptions {
  const owns = (name: string) =>
    command.options.some((option) => option.attributeName() === name && option.helpGroupHeading !== GROUP)
  return owns('from') ? { ...options, from: undefined } : options
}
