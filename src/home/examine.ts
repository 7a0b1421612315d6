// What is wrong with a node's home, all of it at once, and what mends it: for a node that is stopped or does not start. Nothing in the
// home is changed; only LevelDB writes its own journal anew when it opens a folder that no node has open.
import { access, constants, readdir, readFile, stat } from 'node:fs/promises'
import { readKeyFile } from '../crypto/key-file.ts'
import { describeDifference } from '../divergence/describe.ts'
import { readLog } from '../ledger/consensus-frames.ts'
import type { Fault } from '../ledger/fault.ts'
import { openLedger } from '../ledger/ledger.ts'
import { checkFolder } from '../ledger/opening.ts'
import { repairFolders } from '../ledger/repair-folders.ts'
import type { Genesis } from '../types/epoch.ts'
import { toHex } from '../types/hex.ts'
import type { Config } from './config.ts'
import { readControl } from './control.ts'
import { readGenesisFile } from './genesis-file.ts'
import { homePaths, keepBlocksFault, type OpenOptions, openConfig } from './home.ts'
import type { HomePaths } from './paths.ts'

export interface HomeFault {
  code: string
  /** The file or folder. */
  about: string
  reason: string
  mend: string
}

export interface HomeCheck {
  name: 'config' | 'genesis' | 'keys' | 'permissions' | 'consensus log' | 'ledger'
  state: 'ok' | 'fault' | 'skipped'
  detail: string
}

export interface Examination {
  home: string
  /** From config.toml. */
  name: string | null
  role: 'validator' | 'observer' | null
  genesisHash: string | null
  /** Whether a node has the ledger open now. */
  running: boolean
  /** The API's address: the running node's own word where this user may read it, otherwise that of config.toml. */
  api: string | null
  checks: HomeCheck[]
  faults: HomeFault[]
}

export async function examineHome(home: string, options: OpenOptions = {}): Promise<Examination> {
  const paths = homePaths(home)
  const found = collector()
  const empty = { home: paths.home, name: null, role: null, genesisHash: null, running: false, api: null }
  if (!(await isThere(paths.home))) {
    const mend = `make one with \`quorate init --home ${home}\`, or name the right folder`
    found.fault('config', { code: 'HOME_MISSING', about: paths.home, reason: 'there is no node home', mend })
    return { ...empty, ...found.result() }
  }
  const config = await found.attempt('config', paths.config, () => openConfig(home, options))
  if (config !== undefined) found.ok('config', 'every setting is known and valid')
  const genesis = await found.attempt('genesis', paths.genesis, () =>
    readGenesisFile(paths.genesis, options.context ?? {}, "copy the network's genesis.json there"),
  )
  if (genesis !== undefined) found.ok('genesis', `sound, made for the engine of this release; hash ${genesis.hash}`)
  const fault = config === undefined || genesis === undefined ? undefined : keepBlocksFault(config, genesis.genesis)
  if (fault !== undefined) {
    const at = fault.lastIndexOf(': ')
    const [reason, mend] = [fault.slice(0, at), fault.slice(at + 2)]
    found.fault('config', { code: 'CONFIG_INVALID', about: paths.config, reason, mend })
  }
  const validatorKey = await examineKeys(paths, found)
  await examinePermissions(paths, found)
  const running = await examineLedger(paths, genesis?.hash, found)
  const entry = genesis?.genesis.validators.find(({ key }) => key === validatorKey)
  await examineLog(paths, { known: genesis !== undefined && validatorKey !== undefined, entry, running }, found)
  const role =
    genesis === undefined || validatorKey === undefined ? null : entry === undefined ? 'observer' : 'validator'
  return {
    home: paths.home,
    name: config?.node.name ?? null,
    role,
    genesisHash: genesis?.hash ?? null,
    running,
    api: (running ? await runningApi(paths) : undefined) ?? (config === undefined ? null : apiOf(config)),
    ...found.result(),
  }
}

/** Flags and variables may have given the node another address than config.toml. */
const runningApi = (paths: HomePaths): Promise<string | undefined> =>
  readControl(paths.control).then(
    (control) => control?.url,
    () => undefined,
  )

type Collector = ReturnType<typeof collector>

function collector() {
  const checks: HomeCheck[] = []
  const faults: HomeFault[] = []
  const found = {
    ok: (name: HomeCheck['name'], detail: string) => void checks.push({ name, state: 'ok', detail }),
    skip: (name: HomeCheck['name'], detail: string) => void checks.push({ name, state: 'skipped', detail }),
    fault(name: HomeCheck['name'], fault: HomeFault) {
      checks.push({ name, state: 'fault', detail: `${fault.about}: ${fault.reason}` })
      faults.push(fault)
    },
    /** The value, or undefined where the attempt ended in an error, which is then a fault. */
    async attempt<T>(name: HomeCheck['name'], about: string, work: () => Promise<T>): Promise<T | undefined> {
      try {
        return await work()
      } catch (error) {
        found.fault(name, faultOfError(about, error))
        return undefined
      }
    },
    result: () => ({ checks, faults }),
  }
  return found
}

/** Errors of this house say what to do after the reason; the system's own do not. */
function faultOfError(about: string, error: unknown): HomeFault {
  const { code = 'UNREADABLE', message } = error as Error & { code?: string }
  const isSystems = /^E[A-Z]+$/.test(code)
  if (isSystems)
    return { code: 'UNREADABLE', about, reason: message, mend: 'run as the user who owns it, and check the disk' }
  // A list of faults, each with its own mend.
  if (code.endsWith('_INVALID')) return { code, about, reason: message, mend: 'correct each fault as its reason says' }
  const [reason, mend] = divide(message)
  return { code, about, reason, mend }
}

function divide(message: string): [reason: string, mend: string] {
  const at = message.lastIndexOf('; ')
  if (at < 0) return [message, 'correct it as the reason says']
  return [message.slice(0, at), message.slice(at + 2).replace(/\.$/, '')]
}

/** The validator's public key, where its file is sound. */
async function examineKeys(paths: HomePaths, found: Collector): Promise<string | undefined> {
  const validator = await found.attempt('keys', paths.validatorKey, () => readKeyFile(paths.validatorKey))
  const node = await found.attempt('keys', paths.nodeKey, () => readKeyFile(paths.nodeKey))
  if (validator !== undefined && node !== undefined) found.ok('keys', `validator ${validator.address}`)
  return validator === undefined ? undefined : toHex(validator.publicKey)
}

async function examinePermissions(paths: HomePaths, found: Collector): Promise<void> {
  const before = found.result().faults.length
  for (const path of [paths.validatorKey, paths.nodeKey]) {
    const mode = await stat(path).then(
      (found) => found.mode & 0o777,
      () => undefined,
    )
    // POSIX modes only: Windows reports none that mean anything. A missing file was reported.
    if (process.platform === 'win32' || mode === undefined || (mode & 0o077) === 0) continue
    const reason = `its mode is ${mode.toString(8).padStart(4, '0')}, so other users can get at the key`
    found.fault('permissions', { code: 'KEY_PERMISSIONS', about: path, reason, mend: `run \`chmod 600 ${path}\`` })
  }
  for (const path of [paths.data, paths.ledger, paths.consensusLog]) {
    const reason = await access(path, constants.R_OK | constants.W_OK).then(
      () => undefined,
      (error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT') return error.message
        return path === paths.data ? 'it is missing' : undefined
      },
    )
    if (reason === undefined) continue
    const mend = `give the user who runs the node this path: \`chown -R USER ${path}\`; make the folder where it is gone`
    found.fault('permissions', { code: 'DATA_PERMISSIONS', about: path, reason, mend })
  }
  if (found.result().faults.length === before) found.ok('permissions', 'keys are private, data can be written')
}

/** Whether a node has it open. A folder that is not a store yet is left alone: opening would make one. */
async function examineLedger(paths: HomePaths, genesisHash: string | undefined, found: Collector): Promise<boolean> {
  const files = await readdir(paths.ledger).catch((): string[] => [])
  if (files.length === 0) {
    const isRepaired = await isThere(repairFolders(paths.ledger).built)
    const next = isRepaired
      ? 'a repair of it lacks its last step, which the next start does'
      : 'there is none yet; the node makes it and fetches the blocks'
    found.ok('ledger', next)
    return false
  }
  if (genesisHash === undefined) {
    found.skip('ledger', 'whose it should be is unknown without a sound genesis.json')
    return false
  }
  const faults = await checkFolder({ directory: paths.ledger, genesisHash }).catch((error: Error): Fault[] => {
    const mend = `check the disk and who owns the files; if both are well, run \`quorate ledger repair --home ${paths.home}\``
    return [{ code: 'LEDGER_UNREADABLE', thing: 'LevelDB', reason: error.message.split(/\. (?=[A-Z])/)[0]!, mend }]
  })
  if (faults.some(({ code }) => code === 'LEDGER_LOCKED')) {
    found.skip('ledger', 'a node runs on this home and has it open')
    return true
  }
  const here = (mend: string) => mend.replaceAll('--home DIR', `--home ${paths.home}`)
  for (const { code, thing, reason, mend } of faults) {
    found.fault('ledger', { code, about: paths.ledger, reason: `${thing}: ${reason}`, mend: here(mend) })
  }
  if (faults.length > 0) return false
  const divergence = await findDivergence(paths.ledger, genesisHash)
  if (divergence !== undefined)
    found.fault('ledger', { about: paths.ledger, ...divergence, mend: here(divergence.mend) })
  else
    found.ok(
      'ledger',
      'whole: its files, heights, certificates, last blocks and state; older batches and receipts are checked when read',
    )
  return false
}

/** Whole, and still not what the network certified. */
async function findDivergence(directory: string, genesisHash: string) {
  const ledger = await openLedger({ directory, genesisHash, tree: false })
  const divergence = await ledger.divergence().finally(ledger.close)
  if (divergence === undefined) return undefined
  const { certificate, difference } = divergence
  const { height, blockHash } = certificate
  const fact = `its block ${height} is not the one that a quorum certified, ${blockHash}, so the node does not vote and serves what is below`
  const reason = difference === null ? fact : `${fact}; ${describeDifference(difference)}`
  return { code: 'LEDGER_DIVERGED', reason, mend: DIVERGED }
}

const DIVERGED =
  "keep the folder as evidence; compare this node's version and machine with the others'; with the software that they run, set it aside by `quorate ledger repair --home DIR --from-peers-only` and start the node: it fetches the blocks and executes them again"

interface LogExpectation {
  known: boolean
  entry: Genesis['validators'][number] | undefined
  running: boolean
}

async function examineLog(paths: HomePaths, expected: LogExpectation, found: Collector): Promise<void> {
  const { known, entry, running } = expected
  if (!known) return found.skip('consensus log', 'whose it should be is unknown without a sound genesis.json and key')
  if (entry === undefined) return found.ok('consensus log', 'not needed: this key is no validator of the network')
  const about = paths.consensusLog
  const fault = (code: string, reason: string, mend: string) =>
    found.fault('consensus log', { code, about, reason, mend })
  const contents = (await isThere(about))
    ? await found.attempt('consensus log', about, () => readFile(about))
    : fault('LOG_MISSING', 'it is missing, so the node follows and does not vote', LOG_MEND)
  if (contents === undefined) return
  const read = readLog(contents)
  if ('fault' in read) return fault('LOG_DAMAGED', `${read.reason}, so the node follows and does not vote`, LOG_MEND)
  const id = toHex(read.header.id)
  if (id !== entry.log) {
    const reason = `its id is ${id}, but the validator set names ${entry.log}, so the node follows and does not vote`
    return fault('LOG_FOREIGN', reason, LOG_MEND)
  }
  const tornBytes = running ? 0 : contents.length - read.intactBytes
  const torn = tornBytes === 0 ? '' : `; ${tornBytes} bytes of a torn last write will be cut off at the next start`
  found.ok('consensus log', `intact, ${read.records.length} records, the id that the validator set names${torn}`)
}

/** Votes that were forgotten could contradict new ones, so nothing here makes a log anew. */
const LOG_MEND =
  'put the log itself back if it was moved, never an older copy; otherwise a validator with a new home and key has to take its place'

function apiOf({ api }: Config): string {
  const host = api.host === '0.0.0.0' || api.host === '::' ? '127.0.0.1' : api.host
  return `http://${host.includes(':') ? `[${host}]` : host}:${api.port}`
}

async function isThere(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => error.code !== 'ENOENT' && error.code !== 'ENOTDIR',
  )
}
