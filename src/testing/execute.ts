// Executes what a test asks for, in the steps of a validator: sign, check the proposal, execute over a journal, move the head.
import { executeObserved, viewObserved } from '../diagnosis/execute.ts'
import { blockTime } from '../execution/header.ts'
import { Journal } from '../execution/journal.ts'
import type { Runtime } from '../execution/runtime.ts'
import { readNonce, SYSTEM } from '../execution/state.ts'
import type { TransactionScene } from '../execution/transaction.ts'
import type { Batch } from '../types/block.ts'
import type { Genesis } from '../types/epoch.ts'
import type { Transaction } from '../types/transaction.ts'
import { accountOf } from './account.ts'
import type { CodeLibrary } from './code-library.ts'
import type { GasMeter } from './gas-report.ts'
import { type CallOutcome, type Change, callOutcome, type ViewOutcome, viewOutcome } from './outcome.ts'
import { type CallRequest, checkAsValidator, signTransaction } from './transaction.ts'

/** The head of a chain. */
export interface Head {
  state: Journal
  height: number
  time: number
}

export interface Parts {
  genesis: Genesis
  network: string
  from: string
  runtime: Runtime
  library: CodeLibrary
  gas: GasMeter
}

/** Signs the requests, checks them as a proposal is checked, executes them as a block is executed, and moves the head. */
export function executeRequests(parts: Parts, head: Head, requests: CallRequest[]): CallOutcome[] {
  const { genesis, network } = parts
  const transactions = signAll(parts, head, requests)
  const batch = batchOf(genesis, head.time, transactions)
  checkAsValidator(batch, network, genesis.parameters)
  const block = { height: head.height + 1, time: blockTime(head.time, batch) }
  // As executeBlock: one journal over the state, each transaction in the writes of those before it.
  const journal = new Journal(head.state)
  const outcomes = transactions.map((transaction) => executeOne(parts, journal, block, transaction))
  apply(head.state, journal.writes())
  Object.assign(head, block)
  return outcomes
}

function signAll({ genesis, network, from }: Parts, head: Head, requests: CallRequest[]): Transaction[] {
  const { transactionGasMax, blockGasMax } = genesis.parameters
  const gasLimit = Math.min(transactionGasMax, Math.floor(blockGasMax / requests.length))
  const nonces = new Map<string, number>()
  return requests.map((request) => {
    const { publicKey, name } = accountOf(request.from ?? from)
    const nonce = request.nonce ?? nonces.get(publicKey) ?? readNonce(head.state, publicKey)
    nonces.set(publicKey, nonce + 1)
    return signTransaction({ ...request, from: name, nonce, gasLimit: request.gasLimit ?? gasLimit }, network)
  })
}

function executeOne(
  { genesis, runtime, library }: Parts,
  journal: Journal,
  block: TransactionScene['block'],
  transaction: Transaction,
): CallOutcome {
  const scene = { runtime, parameters: genesis.parameters, block }
  const { receipt, layer, ...observed } = executeObserved(scene, journal, transaction, library.positionsOf)
  const changes = changesOf(layer, journal)
  layer.merge()
  return callOutcome(receipt, { height: block.height, changes, ...observed })
}

export function executeView(
  { runtime, library }: Parts,
  { state, height, time }: Head,
  view: { contract: string; method: string; args: string; gasLimit: number },
): ViewOutcome {
  const { result, ...observed } = viewObserved({ runtime, store: state, height, time, ...view }, library.positionsOf)
  return viewOutcome(result, observed)
}

function changesOf(layer: Journal, before: Journal): CallOutcome['changes'] {
  const changes = new Map<string, [string, Change][]>()
  const parse = (text: string | null | undefined) => (text == null ? undefined : JSON.parse(text))
  for (const [stateKey, after] of layer.writes()) {
    const old = before.get(stateKey)
    const end = stateKey.indexOf('\0')
    const [contract, key] = [stateKey.slice(0, end), stateKey.slice(end + 1)]
    if (old === (after ?? undefined) || (contract === SYSTEM && key.startsWith('nonce/'))) continue
    const own = changes.get(contract) ?? []
    changes.set(contract, own)
    own.push([key, { before: parse(old), after: parse(after) }])
  }
  return Object.fromEntries([...changes].map(([contract, own]) => [contract, Object.fromEntries(own)]))
}

/** A block without transactions. */
export function closeBlock({ genesis }: Parts, head: Head, time: number): void {
  Object.assign(head, { height: head.height + 1, time: blockTime(head.time, batchOf(genesis, time, [])) })
}

function batchOf(genesis: Genesis, time: number, transactions: Transaction[]): Batch {
  return { view: 0, proposer: genesis.validators[0]!.key, time, txs: transactions.map(({ wire }) => wire) }
}

export function apply(state: Journal, writes: Map<string, string | null>): void {
  for (const [key, value] of writes) {
    if (value === null) state.delete(key)
    else state.set(key, value)
  }
}
