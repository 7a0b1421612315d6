// The native contract `system`: deploy, upgrade, setOwner, freeze. It runs in a frame like any other contract, under the same codes, and its
// permissions look at the sender, never at the origin: a contract that somebody calls cannot act in that person's name.
import { CONTRACT_NAME } from '../types/transaction.ts'
import { parseArguments } from './arguments.ts'
import { systemCallGas } from './cost.ts'
import { deploy, upgrade } from './deploy.ts'
import type { Frame } from './frame.ts'
import type { Call, invoke, Session } from './invoke.ts'
import { failed, type Outcome, trap } from './outcome.ts'
import { contractAccount, readContract, systemKeys, writeContract } from './state.ts'
import { utf8Length } from './utf8.ts'

/** One running call of the system contract. `gasUsed` is what it has used so far. */
export interface SystemCall {
  readonly session: Session
  readonly frame: Frame
  readonly call: Call
  readonly invoke: typeof invoke
  readonly sender: string
  readonly args: Record<string, unknown>
  readonly gasUsed: number
}

const METHODS: Record<string, (running: SystemCall) => Outcome> = { deploy, upgrade, setOwner, freeze }

export function runSystem(parts: Pick<SystemCall, 'session' | 'frame' | 'call' | 'invoke'>): Outcome {
  const { method, args, sender, gasLimit } = parts.call
  const gasUsed = systemCallGas(utf8Length(args))
  if (gasUsed > gasLimit) return trap('OUT_OF_GAS', gasLimit)
  // It has no views, which have no sender: its state is read by key.
  if (sender === null || !Object.hasOwn(METHODS, method)) return failed('UNKNOWN_METHOD', gasUsed)
  const parsed = parseArguments(args)
  if (parsed === undefined) return failed('BAD_ARGUMENTS', gasUsed)
  return METHODS[method]!({ ...parts, sender, args: parsed, gasUsed })
}

/** `setOwner {name, owner}`: the owner hands the contract to another account or contract. */
function setOwner({ session, frame, sender, args, gasUsed }: SystemCall): Outcome {
  const { name, owner } = args
  if (typeof name !== 'string' || typeof owner !== 'string') return failed('BAD_ARGUMENTS', gasUsed)
  const record = readContract(frame.journal, name)
  if (record === undefined) return failed('UNKNOWN_CONTRACT', gasUsed)
  if (record.owner !== sender) return failed('NOT_OWNER', gasUsed)
  if (record.frozen) return failed('FROZEN', gasUsed)
  const isContract =
    CONTRACT_OWNER.test(owner) && readContract(frame.journal, owner.slice(contractAccount('').length)) !== undefined
  if (!isContract && !session.runtime.isAddress(owner)) return failed('OWNER_INVALID', gasUsed)
  frame.journal.set(systemKeys.contract(name), writeContract({ ...record, owner, updatedHeight: session.block.height }))
  return { status: 'ok', result: null, gasUsed }
}

/** `freeze {name}`: no upgrade and no other owner, ever again. Nothing takes this back: callers may rely on the code from here on. */
function freeze({ session, frame, sender, args, gasUsed }: SystemCall): Outcome {
  const { name } = args
  if (typeof name !== 'string') return failed('BAD_ARGUMENTS', gasUsed)
  const record = readContract(frame.journal, name)
  if (record === undefined) return failed('UNKNOWN_CONTRACT', gasUsed)
  if (record.owner !== sender) return failed('NOT_OWNER', gasUsed)
  if (record.frozen) return failed('FROZEN', gasUsed)
  const frozen = { ...record, frozen: true, updatedHeight: session.block.height }
  frame.journal.set(systemKeys.contract(name), writeContract(frozen))
  return { status: 'ok', result: null, gasUsed }
}

const CONTRACT_OWNER = new RegExp(`^${contractAccount('')}${CONTRACT_NAME.source.slice(1)}`)
