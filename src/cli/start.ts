// `quorate start`: a node in the foreground, until it is told to stop.
import { collect, define, type Run } from './command.ts'
import { CliError, describeError, EXIT_FAILED, EXIT_OK } from './error.ts'
import { assignments } from './settings.ts'
import { untilStopped } from './stopping.ts'

interface StartOptions {
  home: string
  set?: string[]
}

/** What a node tells the process that started it, once it runs. */
export interface Started {
  url: string
  addresses: string[]
  genesisHash: string
}

/** A stop that hangs is ended; what was promised is on disk already. */
const STOP_MS = 8_000
const LINGER_MS = 200

export function startCommand(run: Run) {
  return define<StartOptions>(run, 'start', 'run a node in the foreground; SIGTERM or Ctrl-C stop it', {
    set: (command) =>
      command
        .requiredOption('--home <dir>', "the node's home, as `quorate init` made it")
        .option(
          '--set <setting=value>',
          'overrides a setting of config.toml, like api.port=4601; may be given more than once',
          collect,
        )
        .addHelpText(
          'after',
          '\nSettings come from config.toml in the home, QUORATE_* variables override it, --set overrides both. Logs go to stderr.',
        ),
    async handle(context, _, { home, set }) {
      const flags = assignments(set ?? [])
      const [{ startNode }, { openConfig }, { pino }] = await Promise.all([
        import('../node.ts'),
        import('../home/home.ts'),
        import('pino'),
      ])
      const config = await openConfigOrExplain(() => openConfig(home, { environment: context.io.env, flags }), home)
      const logger = pino({ level: config.log.level, base: { node: config.node.name } }, pino.destination(2))
      let onFatal: (error: unknown) => void = () => {}
      const fatal = new Promise<unknown>((resolve) => {
        onFatal = resolve
      })
      const stopped = untilStopped()
      const node = await startNode(home, { environment: context.io.env, flags, logger, onFatal }).catch((error) => {
        letEnd()
        throw withHome(error, home)
      })
      const { url, addresses, genesisHash } = node
      const started: Started = { url, addresses, genesisHash }
      context.print(started, `${config.node.name} runs: API ${url}, P2P ${addresses.join(' ')}`)
      process.send?.(started)
      const error = await Promise.race([stopped, fatal])
      setTimeout(() => process.exit(EXIT_FAILED), STOP_MS).unref()
      await node.stop()
      logger.info('the node has stopped')
      letEnd()
      if (error === undefined) return EXIT_OK
      const reason = describeError(withHome(error, home))
      throw new CliError('NODE_FAILED', `node ${config.node.name} could not go on: ${reason}`, {
        cause: error,
      })
    },
  })
}

/** The channel to the process that started this one would keep it alive, and so would a timer that somebody forgot. */
function letEnd(): void {
  if (process.connected) process.disconnect()
  setTimeout(() => process.exit(), LINGER_MS).unref()
}

/** The ledger says what mends it, but does not know the home that it lies in. */
function withHome(error: unknown, home: string): unknown {
  const { code, message } = error as Error & { code?: unknown }
  if (typeof message !== 'string' || !message.includes('--home DIR')) return error
  const named = message.replaceAll('--home DIR', `--home ${home}`)
  return new CliError(typeof code === 'string' ? code : 'LEDGER_DAMAGED', named, { cause: error })
}

/** A home that is not there at all is told as such, not as a missing config.toml. */
async function openConfigOrExplain<T>(open: () => Promise<T>, home: string): Promise<T> {
  const { existsSync } = await import('node:fs')
  if (existsSync(home)) return await open()
  throw new CliError('HOME_MISSING', `there is no node home at ${home}: make it with \`quorate init --home ${home}\``)
}
