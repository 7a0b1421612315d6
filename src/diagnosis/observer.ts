// Looks over the shoulder of a validator's sandbox while one transaction or view runs. It hands every call on unchanged and adds
// nothing that a contract could notice, so outcomes and gas are those of any node.
import type { Sandbox } from '../execution/runtime.ts'
import type { ContractHost, Inspection } from '../execution/sandbox/types.ts'

export interface Log {
  contract: string
  level: string
  text: string
}

export interface Observer {
  readonly sandbox: Sandbox
  /** By contract, the keys it looked at, in the order of the first look. Scans add the keys they returned. */
  readonly reads: Map<string, Set<string>>
  readonly logs: Log[]
  /** Why code that was deployed is no contract: what the receipt's CODE_INVALID does not say. */
  readonly refusedCode: (Inspection & { ok: false }) | undefined
}

/** A contract in a loop may log more than anyone reads. */
const LOGS_MAX = 1_000

export function observe(sandbox: Sandbox): Observer {
  const reads = new Map<string, Set<string>>()
  const logs: Log[] = []
  let refusedCode: Observer['refusedCode']

  function hostOf(contract: string, host: ContractHost): ContractHost {
    const keys = reads.get(contract) ?? new Set<string>()
    reads.set(contract, keys)
    return {
      ...host,
      get(key) {
        keys.add(key)
        return host.get(key)
      },
      scan(prefix, after, limit) {
        const entries = host.scan(prefix, after, limit)
        for (const [key] of entries) keys.add(key)
        return entries
      },
      log(level, text) {
        if (logs.length < LOGS_MAX) logs.push({ contract, level, text })
      },
    }
  }

  return {
    sandbox: {
      run: (invocation) => sandbox.run({ ...invocation, host: hostOf(invocation.context.contract, invocation.host) }),
      inspect(code, gasLimit) {
        const inspection = sandbox.inspect(code, gasLimit)
        if (!inspection.ok) refusedCode = inspection
        return inspection
      },
    },
    reads,
    logs,
    get refusedCode() {
      return refusedCode
    },
  }
}
