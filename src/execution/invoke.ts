// One call of one contract in its own frame, whoever asks for it: a transaction, another contract, a view, genesis.
import { sha256 } from '../crypto/hash.ts'
import { CALL_DEPTH_MAX } from '../limits.ts'
import { closeFrame, emitEvent, type Frame, openFrame } from './frame.ts'
import { SCAN_SKIPS_MAX } from './limits.ts'
import { failed, nestedOutcome, type Outcome, trap } from './outcome.ts'
import type { Runtime } from './runtime.ts'
import { Trap } from './sandbox/trap.ts'
import type { ContractHost } from './sandbox/types.ts'
import { contractAccount, hasRole, readCode, readContract, SYSTEM, stateKey } from './state.ts'
import { runSystem } from './system.ts'

/** What all calls of one transaction, or of one view, have in common. */
export interface Session {
  readonly runtime: Runtime
  readonly block: { height: number; time: number }
  /** The running transaction; null in views and at genesis. */
  readonly transaction: { id: string } | null
  /** The signer's address; null in views, `system` at genesis. */
  readonly origin: string | null
  /** `parameters.deploy`. */
  readonly deployRule: string
  /** Deleted keys that scans have passed so far. */
  skipped: number
}

export interface Call {
  kind: 'init' | 'migrate' | 'call' | 'view'
  contract: string
  method: string
  /** JSON text that only the callee parses. */
  args: string
  /** The calling account or contract; null in views. */
  sender: string | null
  gasLimit: number
}

/** Runs the call. Its writes and events reach `below` only if it ends well. */
export function invoke(session: Session, below: Frame, call: Call): Outcome {
  const { contract, kind, gasLimit } = call
  if (below.stack.length >= CALL_DEPTH_MAX) return trap('DEPTH', gasLimit)
  if (below.stack.includes(contract)) return failed('REENTRY', 0)
  const frame = openFrame(below, contract)
  const outcome = contract === SYSTEM ? runSystem({ session, frame, call, invoke }) : runContract(session, frame, call)
  if (outcome.status === 'trap' || outcome.gasUsed > gasLimit) {
    return trap(outcome.status === 'trap' ? outcome.code : 'OUT_OF_GAS', gasLimit)
  }
  if (outcome.status === 'ok' && kind !== 'view') closeFrame(frame, below)
  return outcome
}

function runContract(session: Session, frame: Frame, call: Call): Outcome {
  const { runtime, block, transaction, origin } = session
  const { contract, kind, method, args, gasLimit } = call
  const record = readContract(frame.journal, contract)
  if (record === undefined) return failed('UNKNOWN_CONTRACT', 0)
  const { codeHash } = record
  const code = runtime.code(codeHash, () => readCode(frame.journal, contract, codeHash))
  // A view depends on the state and the block alone, also where a call asks it: it learns nothing of who runs it.
  const isView = kind === 'view'
  const context = {
    sender: isView ? null : call.sender,
    origin: isView ? null : origin,
    contract,
    block,
    tx: isView ? null : transaction,
  }
  const host = createHost(session, frame, isView)
  return runtime.sandbox.run({
    code,
    codeHash,
    kind,
    method,
    args,
    context,
    gasLimit,
    host,
    depth: frame.stack.length - 1,
  })
}

/** What the contract in the frame can reach. */
function createHost(session: Session, frame: Frame, isView: boolean): ContractHost {
  const { journal } = frame
  const contract = frame.stack.at(-1)!
  const start = stateKey(contract, '')
  const nest = (kind: 'call' | 'view') => (callee: string, method: string, args: string, gasLimit: number) => {
    const sender = kind === 'view' ? null : contractAccount(contract)
    return nestedOutcome(invoke(session, frame, { kind, contract: callee, method, args, sender, gasLimit }))
  }
  // The sandbox refuses these in a view with READ_ONLY, which the contract can catch; passing one on would be a bug of ours.
  const asserting =
    <A extends unknown[], R>(operation: (...values: A) => R) =>
    (...values: A): R => {
      if (isView)
        throw new Error(`the sandbox let a view of ${contract} write, emit or call: nothing after this can be trusted`)
      return operation(...values)
    }
  return {
    get: (key) => journal.get(start + key),
    set: asserting((key: string, json: string) => journal.set(start + key, json)),
    delete: asserting((key: string) => journal.delete(start + key)),
    scan(prefix, after, limit) {
      const from = after === undefined ? undefined : start + after
      const { entries, skipped } = journal.scanCounted(start + prefix, from, limit)
      session.skipped += skipped
      if (session.skipped > SCAN_SKIPS_MAX) throw new Trap('OUT_OF_GAS')
      return entries.map(([key, value]) => [key.slice(start.length), value])
    },
    emit: asserting((name: string, json: string) => emitEvent(frame, name, json)),
    call: asserting(nest('call')),
    view: nest('view'),
    sha256,
    verifyEd25519: session.runtime.verifyEd25519,
    isAddress: session.runtime.isAddress,
    hasRole: (account, role) => hasRole(journal, account, role),
  }
}
