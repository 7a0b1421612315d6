// `quorate/client`: the SDK, for Node and browsers. A receipt it gives was proven here, whatever node it came from.
import { addressOf } from '../crypto/address.ts'
import { transactionId } from '../crypto/digest.ts'
import type { ProofBundle, Proven } from '../light/bundle.ts'
import { ClientError } from '../light/error.ts'
import { type TrustedEpoch, trustGenesis } from '../light/genesis.ts'
import type { VerifySignature } from '../light/header.ts'
import type { LedgerItem } from '../light/items.ts'
import type { TransactionDocument } from '../light/transaction.ts'
import { fromHex } from '../types/hex.ts'
import { parseOrText } from '../types/json.ts'
import { decodeTransaction } from '../types/transaction.ts'
import { createDeliverer, type VerifiedTransaction } from './deliver.ts'
import type { Balance } from './endpoints.ts'
import { createEpochs } from './epochs.ts'
import { type EventsOptions, followEvents } from './events.ts'
import { createNodes, type Nodes } from './nodes.ts'
import { createProver, type Prover } from './prover.ts'
import { type AccountAnswer, createReader, type Reader, type ViewAnswer } from './reader.ts'
import { createSender, nonceUsed, type Sender, type SendOptions } from './send.ts'
import type { Signer } from './transaction.ts'

export type { ProofBundle } from '../light/bundle.ts'
export { type ClientCode, ClientError } from '../light/error.ts'
export { type TrustedEpoch, trustGenesis } from '../light/genesis.ts'
export type { BlockItem, EventItem, LedgerItem, TransactionItem } from '../light/items.ts'
export { type TransactionDocument, verifyTransaction } from '../light/transaction.ts'
export type { VerifiedTransaction } from './deliver.ts'
export { BALANCES, type Balance } from './endpoints.ts'
export type { EventsOptions } from './events.ts'
export { type ProvenEvidence, verifyEvidence } from './evidence.ts'
export type { AccountAnswer, ViewAnswer } from './reader.ts'
export type { SendOptions } from './send.ts'
export { keyFromSeed, type SignedTransaction, type Signer, signTransaction } from './transaction.ts'

/** What there are proof bundles of. A range may end early, where its `document.next` says. */
export type Provable =
  | { transaction: string }
  | { contract: string; key: string; height?: number }
  | { from: number; to?: number }

export interface ConnectOptions {
  /** URLs of nodes' APIs; any number of them may be down. */
  endpoints: readonly string[]
  /** The network's identity. Without it the first node's word is taken, and proofs hold only as far as that node is honest. */
  genesisHash?: string
  /** Which node is asked next; `round-robin` unless told. */
  balance?: Balance
  /** How long one request may take. */
  timeoutMs?: number
  /** The lowest height to read at: what an earlier client saw last. */
  minHeight?: number
  /** A faster check with the verdicts of ZIP-215; portable code unless told. */
  verify?: VerifySignature
}

export interface Client {
  readonly genesisHash: string
  /** The highest certified height seen: no read goes back behind it. */
  readonly minHeight: number
  readonly trust: TrustedEpoch
  /**
   * Signs a call, sends it and waits until its receipt is certified and proven here. It runs at most once: the same signed bytes go
   * to one node after another, and it is signed anew only after a proof that they can never run. Throws ClientError; with `TIMEOUT`
   * it may still run, and the error's `id` tells which to look for. A receipt that is not `ok` is no error.
   */
  send(
    key: Signer,
    contract: string,
    method: string,
    args?: unknown,
    options?: SendOptions,
  ): Promise<VerifiedTransaction>
  /** As `send`, for bytes signed elsewhere. */
  submit(wire: Uint8Array, options?: { timeoutMs?: number }): Promise<VerifiedTransaction>
  /** Hands signed bytes to a node and does not wait; gives their id. */
  hand(wire: Uint8Array, options?: { timeoutMs?: number }): Promise<string>
  /** Runs a read-only method on one node. Its answer is that node's word: ask several where that is too little. */
  view(contract: string, method: string, args?: unknown): Promise<unknown>
  /** The value under a key, undefined where there is none: proven here either way, at the certified height or at the one given. */
  get(contract: string, key: string, options?: { height?: number }): Promise<unknown>
  /**
   * What happens from a height on, in order, with nothing lost or repeated over reconnects and nodes: blocks, transactions and contract
   * events. Every block's receipts are proven to be complete unless `prove` is false.
   */
  events(options?: EventsOptions): AsyncGenerator<LedgerItem, void>
  /** A file that proves a transaction, a value or a range of events to anyone who knows the genesis hash: `verifyBundle` of `quorate/light`. */
  bundle(what: Provable): Promise<ProofBundle>
  /** A transaction and its outcome, proven here. Throws ClientError `UNKNOWN_TRANSACTION`. */
  transaction(id: string): Promise<VerifiedTransaction>
  account(address: string): Promise<AccountAnswer>
  /** One node's own status. */
  status(): Promise<Record<string, unknown>>
  /** The parts that the methods above are made of, for the command line. */
  readonly parts: { nodes: Nodes; reader: Reader; sender: Sender; prover: Prover }
}

const SUBMIT_TIMEOUT_MS = 60_000

/** Reads the genesis document from the first node that answers and checks its hash. Throws ClientError. */
export async function connect(options: ConnectOptions): Promise<Client> {
  const { endpoints, genesisHash, balance, timeoutMs, minHeight, verify } = options
  const nodes = createNodes({ endpoints, balance, timeoutMs, minHeight })
  const trust = await readTrust(nodes, genesisHash)
  const epochs = createEpochs({ nodes, first: trust, verify })
  const prover = createProver({ nodes, epochs, verify })
  const reader = createReader(nodes)
  const deliverer = createDeliverer({ nodes, prover })
  const sender = createSender({ nodes, trust, reader, deliverer })

  async function submit(
    wire: Uint8Array,
    { timeoutMs: waitMs = SUBMIT_TIMEOUT_MS } = {},
  ): Promise<VerifiedTransaction> {
    const delivery = deliveryOf(wire)
    const delivered = await deliverer.deliver(delivery, waitMs)
    if (delivered.kind === 'receipt') return delivered.receipt
    throw nonceUsed(delivery.id, delivery.nonce, delivered.to.id)
  }

  return {
    genesisHash: trust.genesisHash,
    get trust() {
      return epochs.latest
    },
    get minHeight() {
      return nodes.minHeight
    },
    send: (key, contract, method, args = {}, sendOptions = {}) =>
      sender.send(key, { contract, method, args: jsonText(args) }, sendOptions),
    submit,
    async hand(wire, { timeoutMs: waitMs = SUBMIT_TIMEOUT_MS } = {}) {
      const delivery = deliveryOf(wire)
      await deliverer.hand(delivery, waitMs)
      return delivery.id
    },
    view: async (contract, method, args = {}) =>
      ((await reader.view(contract, method, jsonText(args))) as ViewAnswer).result,
    async get(contract, key, { height } = {}) {
      const { value } = (await prover.state(contract, key, height)).proven
      return value === undefined ? undefined : parseOrText(value)
    },
    events: (eventsOptions = {}) => followEvents({ nodes, prover }, eventsOptions),
    async bundle(what) {
      const { kind, document } = await answerTo(prover, what)
      return prover.bundle(kind, document)
    },
    transaction: (id) => deliverer.find(id),
    account: (address) => reader.account(address),
    status: () => nodes.look('/v1/status') as Promise<Record<string, unknown>>,
    parts: { nodes, reader, sender, prover },
  }
}

async function answerTo(prover: Prover, what: Provable): Promise<{ kind: Proven['kind']; document: unknown }> {
  if ('transaction' in what) return { kind: 'transaction', ...(await prover.transaction(what.transaction)) }
  if ('key' in what) return { kind: 'state', ...(await prover.state(what.contract, what.key, what.height)) }
  return { kind: 'events', ...(await prover.range(what.from, what.to)) }
}

async function readTrust(nodes: Nodes, expectedHash: string | undefined): Promise<TrustedEpoch> {
  const { genesis } = (await nodes.look('/v1/genesis')) as { genesis: unknown }
  return trustGenesis(genesis, expectedHash)
}

function deliveryOf(wire: Uint8Array) {
  try {
    const { unsigned, sender, nonce } = decodeTransaction(wire)
    return { id: transactionId(unsigned), wire, sender: addressOf(fromHex(sender)), nonce }
  } catch (cause) {
    throw new ClientError(
      'MALFORMED',
      `these bytes are no signed transaction (${(cause as Error).message}): sign it again`,
      { cause },
    )
  }
}

function jsonText(args: unknown): string {
  const text = JSON.stringify(args)
  if (text !== undefined) return text
  throw new TypeError(`arguments are JSON values, but ${typeof args} came`)
}

export type { TransactionDocument as Receipt }
