/** Runs one attack on a sandbox: its outcome, what it wrote and emitted, and what it wrote to its console. */
import { createHash } from 'node:crypto'
import { hashCode, type Outcome, type Sandbox } from '../../../../src/execution/sandbox/index.ts'
import type { ContractHost, NestedOutcome } from '../../../../src/execution/sandbox/types.ts'
import { scriptOf, scriptRunning } from '../script.ts'
import { ATTACK_GAS, type Attack } from './list.ts'

const callee =
  scriptOf(`add(ctx, n) { ctx.state.set('n', n); return n }, fail() { throw new Error('callee says no') }, spin() { for (;;); },
  dive() { const f = (n) => { try { return f(n + 1) } catch { return n } }; return f(0) }, back(ctx) { return ctx.call('self', 'run') }`)

export const codeOf = ({ body, before = '' }: Attack) => scriptRunning(body, before)

export interface Ran {
  outcome: Outcome
  /** SHA-256 over all it asked of the host, in order. */
  trace: string
  log: string[]
}

export function runAttack(sandbox: Sandbox, attack: Attack, options: { gasLimit?: number; shown?: boolean } = {}): Ran {
  const { gasLimit = attack.gasLimit ?? ATTACK_GAS, shown = true } = options
  const trace = createHash('sha256')
  const log: string[] = []
  const state = new Map<string, string>()

  function hostOf(contract: string, stack: string[]): ContractHost {
    const noting = <T>(name: string, values: unknown[], result: T): T => {
      trace.update(JSON.stringify([contract, name, values, result]))
      return result
    }
    const nest = (kind: 'call' | 'view') => (name: string, method: string, args: string, limit: number) => {
      const failed = (code: string): NestedOutcome => ({ kind: 'failed', code, message: '', gasUsed: 0 })
      if (stack.includes(name)) return failed('REENTRY')
      if (name !== 'callee') return failed('UNKNOWN_CONTRACT')
      const { status, ...rest } = run(callee, {
        contract: name,
        kind,
        method,
        args,
        gasLimit: limit,
        stack: [...stack, name],
      })
      return noting(kind, [name, method, args, limit], { kind: status, ...rest } as NestedOutcome)
    }
    const host: ContractHost = {
      get: (key) => noting('get', [key], state.get(contract + key)),
      set: (key, json) => noting('set', [key, json], void state.set(contract + key, json)),
      delete: (key) => noting('delete', [key], void state.delete(contract + key)),
      scan: (prefix, after, limit) => {
        const keys = [...state.keys()].filter((key) => key.startsWith(contract + prefix)).sort()
        const entries = keys
          .slice(0, limit)
          .map((key): [string, string] => [key.slice(contract.length), state.get(key)!])
        return noting('scan', [prefix, after, limit], entries)
      },
      emit: (name, json) => noting('emit', [name, json], undefined),
      call: nest('call'),
      view: nest('view'),
      sha256: (bytes) => createHash('sha256').update(bytes).digest(),
      verifyEd25519: () => false,
      isAddress: (text) => text === 'address',
      hasRole: () => false,
    }
    return shown ? { ...host, log: (level, text) => void log.push(`${level} ${text}`) } : host
  }

  function run(
    code: string,
    call: { contract: string; kind: 'call' | 'view'; method: string; args: string; gasLimit: number; stack: string[] },
  ): Outcome {
    const { contract, stack } = call
    const context = {
      sender: 'alice',
      origin: 'alice',
      contract,
      block: { height: 7, time: 1_700_000_000_007 },
      tx: { id: 'ab'.repeat(32) },
    }
    return sandbox.run({
      ...call,
      code,
      codeHash: hashCode(code),
      context,
      depth: stack.length - 1,
      host: hostOf(contract, stack),
    })
  }

  const call = { contract: 'self', kind: 'call' as const, method: 'run', args: '{}', gasLimit, stack: ['self'] }
  const outcome = run(codeOf(attack), call)
  return { outcome, trace: trace.digest('hex'), log }
}

/** What is pinned of an attack: its outcome with a long result cut to its hash, and the trace and log as one hash. */
export function pinOf({ outcome, trace, log }: Ran) {
  const hash = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 16)
  const result =
    'result' in outcome && outcome.result !== null && outcome.result.length > 80 ? hash(outcome.result) : undefined
  return { ...outcome, ...(result === undefined ? {} : { result }), asked: hash(trace), log: hash(JSON.stringify(log)) }
}
