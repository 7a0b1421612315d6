// A chain of one process: blocks executed one after the other over a state in memory.
import { genesisHash } from '../crypto/digest.ts'
import { verify } from '../crypto/signer.ts'
import { executeGenesis } from '../execution/genesis-block.ts'
import { Journal, type StateStore } from '../execution/journal.ts'
import { createRuntime } from '../execution/runtime.ts'
import { createSandbox } from '../execution/sandbox/index.ts'
import { type ContractRecord, readContract, SYSTEM, stateKey } from '../execution/state.ts'
import { CALL_DEPTH_MAX, VIEW_GAS_MAX } from '../limits.ts'
import { type Account, accountOf } from './account.ts'
import { type ContractSource, createCodeLibrary } from './code-library.ts'
import { apply, closeBlock, executeRequests, executeView, type Head, type Parts } from './execute.ts'
import { CallFailed } from './failure.ts'
import { createGasMeter, type GasRow } from './gas-report.ts'
import { type GenesisOptions, genesisOf } from './genesis.ts'
import type { CallOutcome, ViewOutcome } from './outcome.ts'
import type { CallRequest, SendOptions } from './transaction.ts'

// biome-ignore lint/suspicious/noExplicitAny: a contract decides what its results and values are; a test says what it expects.
type Value = any

export interface TestChainOptions extends GenesisOptions {
  /** The name of the account that signs where a call names none; 'alice' unless given. */
  from?: string
}

export interface TestChain {
  /** Of the latest block. */
  readonly height: number
  /** Of the latest block, in ms since 1970. */
  readonly time: number
  /** The account of this name: any name, always the same key. */
  account(name: string): Account
  /** Bundles and deploys in a block of its own. Throws CallFailed where the deploy, its init included, does not end well. */
  deploy(source: ContractSource, options: DeployOptions): Promise<CallOutcome>
  /** As `deploy`, for new code over the same state, with its migration. Only the contract's owner may. */
  upgrade(source: ContractSource, options: UpgradeOptions): Promise<CallOutcome>
  /** One transaction in a block of its own. A contract that fails gives an outcome that says so. */
  call(contract: string, method: string, args?: unknown, options?: SendOptions): CallOutcome
  /** As `call`; throws CallFailed unless it ends well. */
  mustCall(contract: string, method: string, args?: unknown, options?: SendOptions): CallOutcome
  /** Several transactions in one block, in this order. */
  block(requests: CallRequest[]): CallOutcome[]
  /** What the view returns, null where nothing; throws CallFailed unless it ends well. */
  view(contract: string, method: string, args?: unknown): Value
  /** A view's outcome, also where it fails. */
  tryView(contract: string, method: string, args?: unknown, options?: { gasLimit?: number }): ViewOutcome
  /** Lets time pass: an empty block so many ms later. The next block is 1 ms after it. */
  advance(ms: number): void
  /** So many empty blocks, 1 ms apart. */
  advanceBlocks(count: number): void
  /** The value under a contract's key; undefined where there is none. */
  get(contract: string, key: string): Value
  /** A contract's entries whose keys start with the prefix, in byte order. */
  entries(contract: string, prefix?: string): [key: string, value: Value][]
  /** What the system contract keeps about a contract: version, owner, code hash, methods. */
  contract(name: string): ContractRecord | undefined
  /** A chain that goes on from here by itself: deploy once, then fork for each case. */
  fork(): TestChain
  /** What was used since block 0, by this chain, what it was forked from and all forks together. */
  gasReport(): GasRow[]
}

export interface DeployOptions extends SendOptions {
  name: string
  /** The argument of the contract's init. */
  init?: unknown
}

export interface UpgradeOptions extends SendOptions {
  name: string
  /** The argument of the new code's migration. */
  migrate?: unknown
}

const EMPTY: StateStore = { get: () => undefined, scan: () => [] }
const ADVANCE_BLOCKS_MAX = 1_000_000

/** Booting takes longer than most tests; what the sandbox keeps between calls, images of code, no call can tell. */
let sandbox: ReturnType<typeof createSandbox> | undefined

/** A new chain at block 0. Throws GenesisRefused where a contract of its genesis cannot be deployed. */
export async function testChain(options: TestChainOptions = {}): Promise<TestChain> {
  const library = createCodeLibrary()
  const genesis = await genesisOf(options, library)
  sandbox ??= createSandbox({ depthMax: CALL_DEPTH_MAX })
  const runtime = createRuntime({ sandbox, verifyEd25519: verify })
  const state = new Journal(EMPTY)
  apply(state, executeGenesis(runtime, genesis))
  const from = options.from ?? 'alice'
  const parts = { genesis, network: genesisHash(genesis), from, runtime, library, gas: createGasMeter() }
  return createChain(parts, { state, height: 0, time: genesis.time })
}

function createChain(parts: Parts, head: Head): TestChain {
  const { library, gas } = parts

  function call(contract: string, method: string, args?: unknown, options: SendOptions = {}): CallOutcome {
    return block([{ contract, method, args, ...options }])[0]!
  }

  function block(requests: CallRequest[]): CallOutcome[] {
    const outcomes = executeRequests(parts, head, requests)
    outcomes.forEach((outcome, index) => {
      const { contract, method } = requests[index]!
      if (contract !== SYSTEM) gas.add({ contract, method, kind: 'call' }, outcome)
    })
    return outcomes
  }

  async function install(kind: 'deploy' | 'upgrade', source: ContractSource, options: DeployOptions & UpgradeOptions) {
    const { name, init, migrate, ...send } = options
    const code = await library.load(source, name)
    const outcome = call(SYSTEM, kind, { name, code, init, migrate }, send)
    gas.add({ contract: name, method: '', kind }, outcome)
    if (outcome.status !== 'ok') throw new CallFailed(`the ${kind} of ${name}`, outcome)
    return outcome
  }

  function tryView(contract: string, method: string, args: unknown = {}, { gasLimit = VIEW_GAS_MAX } = {}) {
    const outcome = executeView(parts, head, { contract, method, args: JSON.stringify(args), gasLimit })
    gas.add({ contract, method, kind: 'view' }, outcome)
    return outcome
  }

  return {
    get height() {
      return head.height
    },
    get time() {
      return head.time
    },
    account: accountOf,
    deploy: (source, options) => install('deploy', source, options),
    upgrade: (source, options) => install('upgrade', source, options),
    call,
    mustCall(contract, method, args, options) {
      const outcome = call(contract, method, args, options)
      if (outcome.status !== 'ok') throw new CallFailed(`${contract}.${method}`, outcome)
      return outcome
    },
    block,
    tryView,
    view(contract, method, args) {
      const outcome = tryView(contract, method, args)
      if (outcome.status !== 'ok') throw new CallFailed(`${contract}.${method}`, outcome)
      return outcome.result
    },
    advance: (ms) =>
      closeBlock(parts, head, head.time + checkCount('advance', ms, Number.MAX_SAFE_INTEGER - head.time)),
    advanceBlocks(count) {
      checkCount('advanceBlocks', count, ADVANCE_BLOCKS_MAX)
      for (let made = 0; made < count; made++) closeBlock(parts, head, head.time)
    },
    get(contract, key) {
      const text = head.state.get(stateKey(contract, key))
      return text === undefined ? undefined : JSON.parse(text)
    },
    entries(contract, prefix = '') {
      const start = stateKey(contract, '')
      const found = head.state.scan(start + prefix, undefined, Number.POSITIVE_INFINITY)
      return found.map(([key, text]) => [key.slice(start.length), JSON.parse(text)])
    },
    contract: (name) => readContract(head.state, name),
    fork() {
      const state = new Journal(EMPTY)
      apply(state, head.state.writes())
      return createChain(parts, { ...head, state })
    },
    gasReport: gas.report,
  }
}

function checkCount(method: string, count: number, max: number): number {
  if (Number.isSafeInteger(count) && count >= 1 && count <= max) return count
  throw new RangeError(`${method}(${count}): expected a whole number from 1 to ${max}`)
}
