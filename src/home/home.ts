// A node home as `start` finds it: everything read and checked before any part of the node runs.
import { access, readFile, stat } from 'node:fs/promises'
import { readSeed } from '../crypto/key-file.ts'
import { type LoadedKey, readKeyFile } from '../crypto/keystore.ts'
import { type CheckContext, describeFault } from '../genesis/document.ts'
import { keepBlocksMin } from '../limits.ts'
import type { Genesis } from '../types/epoch.ts'
import { type Config, type ConfigSources, readConfig } from './config.ts'
import { HomeError } from './error.ts'
import { readGenesisFile } from './genesis-file.ts'
import { type HomePaths, homePaths } from './paths.ts'

export { formatConfig, readConfig } from './config.ts'
export { HomeError, type HomeErrorCode } from './error.ts'
export { type InitOptions, initHome } from './init.ts'
export { type HomePaths, homePaths } from './paths.ts'

export interface Home {
  paths: HomePaths
  config: Config
  genesis: Genesis
  genesisHash: string
  validatorKey: LoadedKey
  nodeKey: LoadedKey
  /** The secret seed of the node key: libp2p makes its own key object of it. */
  nodeKeySeed: Uint8Array
  /** Whether there is a consensus log; without one the node follows and never votes. */
  hasConsensusLog: boolean
  /** What the operator should know, one sentence each. */
  warnings: string[]
}

export interface OpenOptions {
  environment?: ConfigSources['environment']
  flags?: ConfigSources['flags']
  /** What the genesis document is checked against. */
  context?: CheckContext
}

/** Reads and checks the home. Throws a HomeError, or a KeystoreError where a key file is missing or damaged. */
export async function openHome(home: string, options: OpenOptions = {}): Promise<Home> {
  const paths = homePaths(home)
  if (!(await exists(paths.home))) {
    const mend = `make it with \`quorate init --home ${home}\``
    throw new HomeError('HOME_MISSING', `There is no node home at ${paths.home}; ${mend}.`)
  }
  const config = await openConfig(home, options)
  const mend = `copy the network's genesis.json there; \`quorate genesis check\` tells whether it is sound`
  const genesis = await readGenesisFile(paths.genesis, options.context ?? {}, mend)
  const fault = keepBlocksFault(config, genesis.genesis)
  if (fault !== undefined) throw new HomeError('CONFIG_INVALID', `The configuration cannot be used: ${fault}.`)
  const validatorKey = await readKeyFile(paths.validatorKey)
  const nodeKey = await readKeyFile(paths.nodeKey)
  const { seed: nodeKeySeed } = await readSeed(paths.nodeKey)
  const hasConsensusLog = await exists(paths.consensusLog)
  const warnings = genesis.warnings.map((found) => `Genesis document, ${describeFault(found)}.`)
  for (const path of [paths.validatorKey, paths.nodeKey]) warnings.push(...(await permissionWarnings(path)))
  if (!hasConsensusLog) {
    const reason = 'so this node follows the ledger and does not vote; renew the log on the ledger to vote again'
    warnings.push(`The consensus log ${paths.consensusLog} is missing, ${reason}.`)
  }
  const { historyBlocks, snapshots } = config.ledger
  const { snapshotIntervalBlocks } = genesis.genesis.parameters
  if (snapshots > 0 && historyBlocks < snapshotIntervalBlocks) {
    const reason = `is below snapshotIntervalBlocks, ${snapshotIntervalBlocks}: a snapshot that takes longer than so many blocks cannot be made`
    warnings.push(`ledger.historyBlocks, ${historyBlocks}, ${reason}; raise it, or set ledger.snapshots to 0.`)
  }
  const { hash: genesisHash } = genesis
  const keys = { validatorKey, nodeKey, nodeKeySeed }
  return { paths, config, genesis: genesis.genesis, genesisHash, ...keys, hasConsensusLog, warnings }
}

/** What of the settings does not fit the network's parameters. */
export function keepBlocksFault({ ledger }: Config, { parameters }: Genesis): string | undefined {
  const { historyBlocks, keepBlocks, snapshots } = ledger
  const { snapshotIntervalBlocks } = parameters
  const min = keepBlocksMin(ledger, snapshotIntervalBlocks)
  if (keepBlocks === 0 || keepBlocks >= min) return undefined
  const why = `historyBlocks (${historyBlocks}) and ${snapshots + 1} times the network's snapshotIntervalBlocks (${snapshotIntervalBlocks})`
  return `ledger.keepBlocks: expected 0 or at least ${min}, for ${why}, got ${keepBlocks}: set a larger one, or shorten historyBlocks`
}

/** The configuration of a home by itself, for commands that need no more. */
export async function openConfig(home: string, { environment, flags }: OpenOptions = {}): Promise<Config> {
  const { config: file } = homePaths(home)
  const text = await readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== 'ENOENT') throw cause
    const mend = 'restore it from a backup, or make a new home with `quorate init` and copy its config.toml'
    throw new HomeError('CONFIG_MISSING', `There is no configuration at ${file}; ${mend}.`, { cause })
  })
  return readConfig({ text, file, environment, flags })
}

/** POSIX modes only: Windows reports none that mean anything. */
async function permissionWarnings(path: string): Promise<string[]> {
  const { mode } = await stat(path)
  if (process.platform === 'win32' || (mode & 0o077) === 0) return []
  const octal = (mode & 0o777).toString(8).padStart(4, '0')
  return [`Key file ${path} has mode ${octal}, so other users can get at the key; run \`chmod 600 ${path}\`.`]
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return false
      throw error
    },
  )
}
