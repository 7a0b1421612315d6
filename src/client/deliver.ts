// One signed transaction to its end. The same bytes go to one node after another until a receipt is proven, so that however often
// they are sent they run at most once. The only other end is a proof that another transaction has used the nonce.
import { toBase64 } from '../light/base64.ts'
import { ClientError } from '../light/error.ts'
import type { TransactionDocument } from '../light/transaction.ts'
import type { Endpoint } from './endpoints.ts'
import { isNodesFault, type Nodes, queryText } from './nodes.ts'
import type { Prover } from './prover.ts'

export type VerifiedTransaction = TransactionDocument

export interface Delivery {
  id: string
  wire: Uint8Array
  /** The sender's address. */
  sender: string
  nonce: number
}

/** `lost`: proven that another transaction used the nonce, so that this one never runs. */
export type Delivered = { kind: 'receipt'; receipt: VerifiedTransaction } | { kind: 'lost'; to: VerifiedTransaction }

export interface Deliverer {
  /** Throws ClientError: the node's refusal, or TIMEOUT when the time is up and the transaction may still run. */
  deliver(delivery: Delivery, timeoutMs: number): Promise<Delivered>
  /** Hands the bytes to the first node that takes them and does not wait. */
  hand(delivery: Delivery, timeoutMs: number): Promise<void>
  /** The verified document of a transaction. */
  find(id: string): Promise<VerifiedTransaction>
}

export interface DelivererParts {
  nodes: Nodes
  prover: Prover
  now?: () => number
  sleep?: (ms: number) => Promise<void>
}

const BACKOFF_FIRST_MS = 100
const BACKOFF_MAX_MS = 2_000
/** How long one node is asked to wait before another is tried, and what its answer may take beyond that. */
const WAIT_MS = 8_000
const ANSWER_MS = 5_000
/** Another transaction with the same nonce is among a sender's newest. */
const SEARCH_LIMIT = 100
/** Refusals that may pass: by waiting, or at another node. */
const RETRIED_CODES = new Set(['NONCE_TOO_FAR', 'NONCE_TAKEN', 'NONCE_USED', 'UNKNOWN_TRANSACTION'])
const CONFLICT_CODES = new Set(['NONCE_TAKEN', 'NONCE_USED'])

export function createDeliverer(parts: DelivererParts): Deliverer {
  const { nodes, prover, now = Date.now } = parts
  const sleep = parts.sleep ?? ((ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms)))

  async function deliver(delivery: Delivery, timeoutMs: number): Promise<Delivered> {
    const until = now() + timeoutMs
    let last: ClientError | undefined
    for (let round = 0; now() < until; round++) {
      let isRefused = true
      for (const endpoint of nodes.order(delivery.sender)) {
        const left = until - now()
        if (left <= 0) break
        const result = await attempt(endpoint, delivery, Math.min(left, WAIT_MS))
        if (!(result instanceof ClientError)) return result
        last = result
        isRefused &&= !isRetried(result)
      }
      // One node alone may lie about the bytes; where every one refuses them for what they are, waiting changes nothing.
      if (isRefused && last !== undefined) throw last
      await sleep(Math.max(0, Math.min(backoff(round, last), until - now())))
    }
    throw timedOut(delivery.id, timeoutMs, last)
  }

  /** What came of one node, or why another should be asked. */
  async function attempt(endpoint: Endpoint, delivery: Delivery, waitMs: number): Promise<Delivered | ClientError> {
    try {
      await post(endpoint, delivery, { wait: 'certified', timeout: Math.ceil(waitMs) }, waitMs + ANSWER_MS)
      const { document } = await prover.transactionAt(endpoint, delivery.id, ANSWER_MS)
      const receipt = document as VerifiedTransaction
      if (receipt.status !== 'skipped' || receipt.error?.code === 'EXPIRED') return { kind: 'receipt', receipt }
      return (
        (await conflict(delivery)) ??
        new ClientError(receipt.error?.code ?? 'TIMEOUT', `transaction ${delivery.id} was skipped`)
      )
    } catch (error) {
      if (!(error instanceof ClientError)) throw error
      if (!CONFLICT_CODES.has(error.code)) return error
      return (await conflict(delivery)) ?? error
    }
  }

  /** Who has the nonce: this transaction after all, another one for good, or nobody yet. */
  async function conflict(delivery: Delivery): Promise<Delivered | undefined> {
    try {
      const receipt = await find(delivery.id)
      if (receipt.status !== 'skipped') return { kind: 'receipt', receipt }
    } catch (error) {
      if (!isRetried(error)) throw error
    }
    const answer = (await nodes
      .read('/v1/transactions', { sender: delivery.sender, limit: SEARCH_LIMIT })
      .catch(() => undefined)) as { transactions?: unknown } | undefined
    const listed = (Array.isArray(answer?.transactions) ? answer.transactions : []) as (TransactionDocument | null)[]
    const other = listed.find(
      (one) => one?.id !== delivery.id && one?.nonce === delivery.nonce && one?.status !== 'skipped',
    )
    if (typeof other?.id !== 'string') return undefined
    const proven = await find(other.id).catch(() => undefined)
    const isUser = proven?.sender === delivery.sender && proven.nonce === delivery.nonce && proven.status !== 'skipped'
    return isUser ? { kind: 'lost', to: proven } : undefined
  }

  async function hand(delivery: Delivery, timeoutMs: number): Promise<void> {
    const until = now() + timeoutMs
    let last: ClientError | undefined
    for (let round = 0; now() < until; round++) {
      for (const endpoint of nodes.order(delivery.sender)) {
        try {
          await post(endpoint, delivery, { wait: 'none' }, Math.max(1, until - now()))
          return
        } catch (error) {
          if (!isNodesFault(error)) throw error
          last = error as ClientError
        }
      }
      await sleep(Math.max(0, Math.min(backoff(round, last), until - now())))
    }
    throw timedOut(delivery.id, timeoutMs, last)
  }

  function post(
    endpoint: Endpoint,
    { wire }: Delivery,
    query: Record<string, string | number>,
    timeoutMs: number,
  ): Promise<unknown> {
    const body = JSON.stringify({ tx: toBase64(wire) })
    return nodes.attempt(endpoint, { method: 'POST', path: `/v1/transactions${queryText(query)}`, body, timeoutMs })
  }

  async function find(id: string): Promise<VerifiedTransaction> {
    return (await prover.transaction(id)).document as VerifiedTransaction
  }

  return { deliver, hand, find }
}

function isRetried(error: unknown): error is ClientError {
  return error instanceof ClientError && (isNodesFault(error) || RETRIED_CODES.has(error.code))
}

function backoff(round: number, last: ClientError | undefined): number {
  return Math.max(last?.retryAfterMs ?? 0, Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** Math.min(round, 10)))
}

function timedOut(id: string, timeoutMs: number, last: ClientError | undefined): ClientError {
  const why = last === undefined || last.code === 'TIMEOUT' ? '' : ` (last: ${last.message})`
  const message = `transaction ${id} has no certified receipt after ${timeoutMs} ms and may still run${why}: look again with its id, or send the same bytes again`
  return new ClientError('TIMEOUT', message, { id, cause: last })
}
