/**
 * An in-memory network of contracts around the real sandbox: state in a map, nested calls rolled back on failure, addresses
 * checked as the network does. For tests of contracts and of the sandbox itself.
 */
import { createHash, createPublicKey, verify } from 'node:crypto'
import { bech32m } from '@scure/base'
import {
  type ContractHost,
  createSandbox,
  hashCode,
  type Invocation,
  type NestedOutcome,
  type Outcome,
  type Sandbox,
} from '../../src/execution/sandbox/index.ts'

export interface StoredEvent {
  contract: string
  name: string
  data: unknown
}

export interface MemoryNetwork {
  readonly sandbox: Sandbox
  readonly events: StoredEvent[]
  deploy(name: string, code: string, init?: unknown, sender?: string): Outcome
  call(sender: string, contract: string, method: string, args?: unknown, gasLimit?: number): Outcome
  view(contract: string, method: string, args?: unknown, gasLimit?: number): Outcome
  /** The JSON text under a contract's key. */
  stored(contract: string, key: string): string | undefined
}

type Request = Pick<Invocation, 'kind' | 'method' | 'args' | 'gasLimit' | 'depth'> & {
  contract: string
  sender: string | null
  origin: string | null
  stack: string[]
}

export const gasLimitDefault = 300_000_000

/** An address made from a seed, valid in form; nobody holds its key. */
export const addressOf = (seed: number | string) =>
  bech32m.encode('qr', bech32m.toWords(createHash('sha256').update(String(seed)).digest()))

export function isMemoryAddress(text: string): boolean {
  const decoded = bech32m.decodeUnsafe(text)
  if (decoded === undefined || decoded.prefix !== 'qr' || text !== text.toLowerCase()) return false
  return bech32m.fromWordsUnsafe(decoded.words)?.length === 32
}

function verifyEd25519(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  const key = { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(publicKey).toString('base64url') }
  return verify(null, message, createPublicKey({ key, format: 'jwk' }), signature)
}

export function createMemoryNetwork(sandbox: Sandbox = createSandbox()): MemoryNetwork {
  const codes = new Map<string, string>()
  const state = new Map<string, string>()
  const roles = new Set<string>()
  const events: StoredEvent[] = []
  let undo: (() => void)[] = []
  let height = 0

  function write(key: string, json: string | undefined): void {
    const before = state.get(key)
    undo.push(() => (before === undefined ? state.delete(key) : state.set(key, before)))
    if (json === undefined) state.delete(key)
    else state.set(key, json)
  }

  function emit(event: StoredEvent): void {
    events.push(event)
    undo.push(() => events.pop())
  }

  function run(request: Request): Outcome {
    const { contract, sender, origin, stack, kind, depth } = request
    const code = codes.get(contract)!
    const mark = undo.length
    const tx = kind === 'view' && depth === 0 ? null : { id: 'ab'.repeat(32) }
    const context = { sender, origin, contract, block: { height, time: 1_700_000_000_000 + height }, tx }
    const host = hostOf(contract, origin, [...stack, contract], depth)
    const outcome = sandbox.run({ ...request, code, codeHash: hashCode(code), context, host })
    if (outcome.status !== 'ok') {
      for (const step of undo.splice(mark).reverse()) step()
    }
    if (depth === 0) undo = []
    return outcome
  }

  function hostOf(contract: string, origin: string | null, stack: string[], depth: number): ContractHost {
    const prefixed = (key: string) => `${contract}\0${key}`
    const nest =
      (kind: 'call' | 'view') =>
      (callee: string, method: string, args: string, gasLimit: number): NestedOutcome => {
        if (!codes.has(callee)) return { kind: 'failed', code: 'UNKNOWN_CONTRACT', message: '', gasUsed: 0 }
        if (stack.includes(callee)) return { kind: 'failed', code: 'REENTRANT', message: '', gasUsed: 0 }
        const sender = kind === 'call' ? `contract:${contract}` : null
        const request = { contract: callee, kind, method, args, gasLimit, depth: depth + 1, sender, origin, stack }
        const { status, ...rest } = run(request)
        return { kind: status, ...rest } as NestedOutcome
      }
    return {
      get: (key) => state.get(prefixed(key)),
      set: (key, json) => write(prefixed(key), json),
      delete: (key) => write(prefixed(key), undefined),
      scan: (prefix, after, limit) =>
        [...state.entries()]
          .filter(([key]) => key.startsWith(prefixed(prefix)))
          .map(([key, json]): [string, string] => [key.slice(contract.length + 1), json])
          .filter(([key]) => after === undefined || Buffer.compare(Buffer.from(key), Buffer.from(after)) > 0)
          .sort(([left], [right]) => Buffer.compare(Buffer.from(left), Buffer.from(right)))
          .slice(0, limit),
      emit: (name, json) => emit({ contract, name, data: JSON.parse(json) }),
      call: nest('call'),
      view: nest('view'),
      sha256: (bytes) => createHash('sha256').update(bytes).digest(),
      verifyEd25519,
      isAddress: isMemoryAddress,
      hasRole: (account, role) => roles.has(`${account} ${role}`),
    }
  }

  function start(
    kind: 'init' | 'call',
    sender: string,
    contract: string,
    method: string,
    args: unknown,
    gasLimit: number,
  ) {
    height++
    const json = typeof args === 'string' ? args : JSON.stringify(args)
    return run({ contract, kind, method, args: json, gasLimit, depth: 0, sender, origin: sender, stack: [] })
  }

  return {
    sandbox,
    events,
    deploy(name, code, init = {}, sender = addressOf('deployer')) {
      codes.set(name, code)
      return start('init', sender, name, 'init', init, gasLimitDefault)
    },
    call: (sender, contract, method, args = {}, gasLimit = gasLimitDefault) =>
      start('call', sender, contract, method, args, gasLimit),
    view: (contract, method, args = {}, gasLimit = gasLimitDefault) =>
      run({
        contract,
        kind: 'view',
        method,
        args: typeof args === 'string' ? args : JSON.stringify(args),
        gasLimit,
        depth: 0,
        sender: null,
        origin: null,
        stack: [],
      }),
    stored: (contract, key) => state.get(`${contract}\0${key}`),
  }
}
