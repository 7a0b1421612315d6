// Deploying and upgrading contracts: the parts of the system contract that take code.
import { sha256 } from '../crypto/hash.ts'
import { toHex } from '../types/hex.ts'
import { CONTRACT_NAME } from '../types/transaction.ts'
import { loadGas } from './cost.ts'
import type { Frame } from './frame.ts'
import { failed, type Outcome, trap } from './outcome.ts'
import {
  type ContractRecord,
  isAllowed,
  readContract,
  SYSTEM,
  systemKeys,
  writeContract,
  writeVersion,
} from './state.ts'
import type { SystemCall } from './system.ts'
import { compareUtf8, utf8Bytes } from './utf8.ts'

/** What an init or a migration gets that is given nothing, as a nested call does. */
export const NO_ARGUMENTS = '{}'

type Shape = Pick<ContractRecord, 'codeHash' | 'init' | 'migrate' | 'calls' | 'views'>

/** `deploy {name, code, init}`: the sender becomes the owner and is the sender of the init, whose failure undoes everything. */
export function deploy(running: SystemCall): Outcome {
  const { session, frame, sender, args, gasUsed } = running
  const { name, code, init } = args
  if (typeof name !== 'string' || typeof code !== 'string') return failed('BAD_ARGUMENTS', gasUsed)
  if (!isAllowed(frame.journal, session.deployRule, sender)) return failed('NOT_ALLOWED', gasUsed)
  if (!CONTRACT_NAME.test(name) || name === SYSTEM) return failed('NAME_INVALID', gasUsed)
  if (readContract(frame.journal, name) !== undefined) return failed('CONTRACT_EXISTS', gasUsed)
  // Written out by the host, unlike other arguments, because the init's stand inside those of the deploy.
  return deployAs(running, {
    name,
    code,
    init: init === undefined ? NO_ARGUMENTS : JSON.stringify(init),
    owner: sender,
  })
}

/** A deploy whose permission and name are settled; `init` is JSON text. Genesis enters here. */
export function deployAs(
  { session, frame, call, invoke, sender, gasUsed }: SystemCall,
  { name, code, init, owner }: { name: string; code: string; init: string; owner: string },
): Outcome {
  const loaded = load(code, { session, call, gasUsed })
  if ('status' in loaded) return loaded
  const { height } = session.block
  storeCode(frame, loaded.shape.codeHash, code)
  const record: ContractRecord = {
    name,
    version: 1,
    owner,
    deployedHeight: height,
    updatedHeight: height,
    frozen: false,
    ...loaded.shape,
  }
  storeRecord(frame, record, sender)
  return runHandler({ session, frame, call, invoke, sender }, loaded, { kind: 'init', name, args: init })
}

/**
 * `upgrade {name, code, migrate}`: later calls run the new code over the same state. No init runs; the new code's own migration does,
 * with the owner as sender, and its failure undoes everything.
 */
export function upgrade({ session, frame, call, invoke, sender, args, gasUsed }: SystemCall): Outcome {
  const { name, code, migrate } = args
  if (typeof name !== 'string' || typeof code !== 'string') return failed('BAD_ARGUMENTS', gasUsed)
  const record = readContract(frame.journal, name)
  if (record === undefined) return failed('UNKNOWN_CONTRACT', gasUsed)
  if (record.owner !== sender) return failed('NOT_OWNER', gasUsed)
  if (record.frozen) return failed('FROZEN', gasUsed)
  // A running contract would go on in its old code over state that the new one may already read differently.
  if (frame.stack.includes(name)) return failed('CONTRACT_ACTIVE', gasUsed)
  const loaded = load(code, { session, call, gasUsed })
  if ('status' in loaded) return loaded
  storeCode(frame, loaded.shape.codeHash, code)
  const updated = { ...record, ...loaded.shape, version: record.version + 1, updatedHeight: session.block.height }
  storeRecord(frame, updated, sender)
  const migration = migrate === undefined ? NO_ARGUMENTS : JSON.stringify(migrate)
  return runHandler({ session, frame, call, invoke, sender }, loaded, { kind: 'migrate', name, args: migration })
}

/** Runs the handler that a deploy or an upgrade ends with, where the new code has it. */
function runHandler(
  { session, frame, call, invoke, sender }: Pick<SystemCall, 'session' | 'frame' | 'call' | 'invoke' | 'sender'>,
  loaded: { shape: Shape; gasUsed: number },
  { kind, name, args }: { kind: 'init' | 'migrate'; name: string; args: string },
): Outcome {
  if (!loaded.shape[kind]) return { status: 'ok', result: null, gasUsed: loaded.gasUsed }
  const gasLimit = call.gasLimit - loaded.gasUsed
  const outcome = invoke(session, frame, { kind, contract: name, method: kind, args, sender, gasLimit })
  // The handler's result is dropped: a deploy has none, and neither has an upgrade.
  const total = loaded.gasUsed + outcome.gasUsed
  return outcome.status === 'ok' ? { status: 'ok', result: null, gasUsed: total } : { ...outcome, gasUsed: total }
}

/** The contract in the code and the gas used so far, or why there is none. */
function load(
  code: string,
  { session, call, gasUsed }: Pick<SystemCall, 'session' | 'call' | 'gasUsed'>,
): Outcome | { shape: Shape; gasUsed: number } {
  // A lone surrogate has no bytes in UTF-8, so such a text has no hash of its own.
  if (!code.isWellFormed()) return failed('CODE_INVALID', gasUsed)
  const bytes = utf8Bytes(code)
  const allowance = loadGas(bytes.length)
  const total = gasUsed + allowance
  if (total > call.gasLimit) return trap('OUT_OF_GAS', call.gasLimit)
  // The allowance follows from the code alone, so whether code loads never depends on who tries, when, or with how much gas.
  const inspection = session.runtime.sandbox.inspect(code, allowance)
  if (!inspection.ok) return failed('CODE_INVALID', total)
  const { init, migrate, calls, views } = inspection
  const shape = {
    codeHash: toHex(sha256(bytes)),
    init,
    migrate,
    calls: calls.toSorted(compareUtf8),
    views: views.toSorted(compareUtf8),
  }
  return { shape, gasUsed: total }
}

/** The record, and who made this version of it: the two are written together. */
function storeRecord({ journal }: Frame, record: ContractRecord, sender: string): void {
  const { name, version, codeHash, updatedHeight: height } = record
  journal.set(systemKeys.contract(name), writeContract(record))
  journal.set(systemKeys.version(name, version), writeVersion({ version, codeHash, height, sender }))
}

function storeCode(frame: Frame, codeHash: string, code: string): void {
  const key = systemKeys.code(codeHash)
  if (frame.journal.get(key) === undefined) frame.journal.set(key, JSON.stringify(code))
}
