// What the execution tests share: a store in memory, senders, transactions, and small contracts as bundles.
import { createHash } from 'node:crypto'
import { addressOf } from '../../src/crypto/address.ts'
import { createKeyPair, verify } from '../../src/crypto/signer.ts'
import { type BlockResult, executeBlock } from '../../src/execution/block.ts'
import type { StateStore } from '../../src/execution/journal.ts'
import { createRuntime, type Runtime, type Sandbox } from '../../src/execution/runtime.ts'
import { createSandbox } from '../../src/execution/sandbox/index.ts'
import { systemKeys, writeContract } from '../../src/execution/state.ts'
import { PARAMETER_DEFAULTS } from '../../src/limits.ts'
import type { Parameters } from '../../src/types/epoch.ts'
import { toHex } from '../../src/types/hex.ts'
import { encode } from '../../src/types/schema.ts'
import {
  decodeTransaction,
  encodeTransaction,
  type Transaction,
  unsignedTransactionCodec,
} from '../../src/types/transaction.ts'

/** Ordered by bytes the slow and obvious way. */
export class MemoryStore implements StateStore {
  readonly entries = new Map<string, string>()

  get(key: string): string | undefined {
    return this.entries.get(key)
  }

  scan(prefix: string, after: string | undefined, limit: number): [string, string][] {
    const start = after === undefined ? undefined : Buffer.from(after)
    return [...this.entries]
      .filter(([key]) => Buffer.from(key).subarray(0, Buffer.byteLength(prefix)).equals(Buffer.from(prefix)))
      .filter(([key]) => start === undefined || Buffer.compare(Buffer.from(key), start) > 0)
      .sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
      .slice(0, limit)
  }

  apply(writes: Map<string, string | null>): void {
    for (const [key, value] of writes) {
      if (value === null) this.entries.delete(key)
      else this.entries.set(key, value)
    }
  }
}

export interface Account {
  seed: Uint8Array
  key: string
  address: string
}

/** The same account for the same number, always. */
export function account(number: number): Account {
  const seed = new Uint8Array(32).fill(number)
  const { publicKey } = createKeyPair(seed)
  return { seed, key: toHex(publicKey), address: addressOf(publicKey) }
}
export const [alice, bob, carol] = [account(1), account(2), account(3)] as const

export const NETWORK = 'ab'.repeat(32)

export interface TransactionFields {
  nonce: number
  contract: string
  method: string
  args?: unknown
  /** In place of the JSON of `args`. */
  rawArgs?: Uint8Array
  expires?: number
  gasLimit?: number
}

export function transaction(from: Account, fields: TransactionFields): Transaction {
  const { nonce, contract, method, expires = 0, gasLimit = 300_000_000 } = fields
  const args = fields.rawArgs ?? new TextEncoder().encode(JSON.stringify(fields.args ?? {}))
  const unsigned = encode(unsignedTransactionCodec, {
    network: NETWORK,
    sender: from.key,
    nonce,
    expires,
    gasLimit,
    contract,
    method,
    args,
  })
  return decodeTransaction(encodeTransaction(unsigned, createKeyPair(from.seed).sign(unsigned)))
}

/** A bundle as `quorate contract build` makes it, from the text of a definition. */
export const bundle = (definition: string): string => `var quorateContract = { default: ${definition} };`

/** Keeps values, calls others, fails on demand: one contract for most tests. */
export const TOOL = bundle(`{
  init(ctx, args) { if (args.fail) throw new Error(args.fail); ctx.state.set('init', { sender: ctx.sender, origin: ctx.origin, tx: ctx.tx, args }) },
  calls: {
    set(ctx, { key, value }) { ctx.state.set(key, value); return value },
    remove(ctx, { key }) { ctx.state.delete(key) },
    nothing() {},
    fail(ctx, { message }) { ctx.state.set('failed', true); ctx.emit('Failed', 1); throw new Error(message) },
    emit(ctx, { name, data, times = 1 }) { ctx.state.set('emitted', times); for (let i = 0; i < times; i++) ctx.emit(name, data) },
    spin() { for (;;) {} },
    who(ctx) { return { sender: ctx.sender, origin: ctx.origin, contract: ctx.contract, block: ctx.block, tx: ctx.tx } },
    nest(ctx, { contract, method, args, before, after, caught = false }) {
      if (before) { ctx.state.set(before, 'before'); ctx.emit('Before', before) }
      let result
      if (caught) { try { result = ctx.call(contract, method, args) } catch (error) { result = [error.calleeCode, error.message] } }
      else result = ctx.call(contract, method, args)
      if (after) { ctx.state.set(after, 'after'); ctx.emit('After', after) }
      return result
    },
    repeat(ctx, { times, contract, method, args }) { for (let i = 0; i < times; i++) ctx.call(contract, method, args) },
    look(ctx, { contract, method, args }) { return ctx.view(contract, method, args) },
    scan(ctx, { prefix, after, limit, times = 1 }) { let page; for (let i = 0; i < times; i++) page = ctx.state.scan(prefix, { after, limit }); return page },
    fill(ctx, { prefix, count }) { for (let i = 0; i < count; i++) ctx.state.set(prefix + i, i) },
    clear(ctx, { prefix, count }) { for (let i = 0; i < count; i++) ctx.state.delete(prefix + i) },
    role(ctx, { account, role }) { return [ctx.isAddress(account), ctx.hasRole(account, role)] },
  },
  views: {
    get(ctx, { key }) { return ctx.state.get(key) },
    whoView(ctx) { return { sender: ctx.sender, origin: ctx.origin, contract: ctx.contract, block: ctx.block, tx: ctx.tx } },
    write(ctx) { ctx.state.set('view', 1) },
    lookOn(ctx, { contract, method, args }) { return ctx.view(contract, method, args) },
  },
}`)

export const hashOf = (code: string): string => createHash('sha256').update(code).digest('hex')

/** A contract as deploying leaves it. */
export function place(store: MemoryStore, name: string, code: string = TOOL, owner: string = alice.address): void {
  const codeHash = hashOf(code)
  store.entries.set(systemKeys.code(codeHash), JSON.stringify(code))
  const shape = { frozen: false, init: true, migrate: false, calls: [], views: [] }
  const record = { name, codeHash, version: 1, owner, deployedHeight: 0, updatedHeight: 0, ...shape }
  store.entries.set(systemKeys.contract(name), writeContract(record))
}

/** Loading images costs time, so a test file shares one. */
export function createTestRuntime(sandbox: Sandbox = createSandbox()): Runtime {
  return createRuntime({ sandbox, verifyEd25519: verify })
}

/** Executes blocks on a store, one after the other. */
export class Chain {
  readonly store = new MemoryStore()
  readonly runtime: Runtime
  parameters: Parameters = PARAMETER_DEFAULTS
  height = 0

  constructor(runtime: Runtime) {
    this.runtime = runtime
  }

  block(...transactions: Transaction[]): BlockResult {
    this.height++
    const { runtime, store, parameters, height } = this
    const result = executeBlock({ runtime, store, parameters, height, time: 1_000 * height, transactions })
    store.apply(result.writes)
    return result
  }

  /** One transaction in a block of its own. */
  send(from: Account, contract: string, method: string, args: unknown = {}, fields: Partial<TransactionFields> = {}) {
    const nonce = Number(this.store.get(systemKeys.nonce(from.key)) ?? 0)
    return this.block(transaction(from, { nonce, contract, method, args, ...fields })).receipts[0]!
  }

  /** The value under a contract's key. */
  value(contract: string, key: string): unknown {
    const text = this.store.get(`${contract}\0${key}`)
    return text === undefined ? undefined : JSON.parse(text)
  }
}

export const resultOf = ({ result }: { result: Uint8Array }): unknown =>
  result.length === 0 ? undefined : JSON.parse(new TextDecoder().decode(result))
