// Reads that are believed because they are proven. A node whose answer does not hold is set aside, and another one is asked.

import type { ProofBundle } from '../light/bundle.ts'
import { type Proven, verifyDocument } from '../light/bundle.ts'
import { ClientError } from '../light/error.ts'
import { type ProvenRange, verifyEventRange } from '../light/events.ts'
import type { TrustedEpoch } from '../light/genesis.ts'
import type { VerifySignature } from '../light/header.ts'
import { provenMembers } from '../light/members.ts'
import { type ProvenState, verifyState } from '../light/state.ts'
import { type ProvenTransaction, verifyTransaction } from '../light/transaction.ts'
import { bundleOf } from './bundle.ts'
import type { Endpoint } from './endpoints.ts'
import type { Epochs } from './epochs.ts'
import type { Nodes, Query } from './nodes.ts'

/** An answer of a node, and what it proves. */
export interface Checked<T> {
  document: unknown
  proven: T & { trust: TrustedEpoch }
}

export interface Prover {
  transaction(id: string): Promise<Checked<ProvenTransaction>>
  /** By one node alone. */
  transactionAt(endpoint: Endpoint, id: string, timeoutMs: number): Promise<Checked<ProvenTransaction>>
  /** At the certified height of the node that answers, unless a height is given. */
  state(contract: string, key: string, height?: number): Promise<Checked<ProvenState>>
  /** From a height on, as far as one document goes, and no further than `to`. */
  range(from: number, to?: number): Promise<Checked<ProvenRange>>
  /** By one node alone, which is given time to certify `from`. */
  rangeAt(
    endpoint: Endpoint,
    range: { from: number; to?: number },
    options: RangeOptions,
  ): Promise<Checked<ProvenRange>>
  /** The file that proves the answer to anyone who knows the genesis hash. */
  bundle(kind: Proven['kind'], document: unknown): Promise<ProofBundle>
}

export interface RangeOptions {
  timeoutMs: number
  signal?: AbortSignal
}

export function createProver({
  nodes,
  epochs,
  verify,
}: {
  nodes: Nodes
  epochs: Epochs
  verify?: VerifySignature
}): Prover {
  /** What is done with an answer: its epoch is found, it is checked, and its height is remembered once it is proven. */
  const checking =
    <T extends { height: number }>(check: (document: unknown, trust: TrustedEpoch) => T) =>
    async (document: unknown): Promise<Checked<T>> => {
      const trust = await epochs.of(document)
      const proven = check(document, trust)
      nodes.sawHeight(proven.height)
      return { document, proven: { ...proven, trust } }
    }

  function checkTransaction(id: string) {
    const check = checking((document, trust) => verifyTransaction(document, id, trust, verify))
    return async (answer: unknown) => {
      const { document, proven } = await check(answer)
      // It is handed on as proven: whatever else the node put in is left out.
      return { document: provenMembers(document, 'transaction'), proven }
    }
  }

  const checkRange = (range: { from: number; to?: number }) =>
    checking((document, trust) => verifyEventRange(document, range, trust, verify))

  return {
    transaction: (id) => nodes.proven(`/v1/transactions/${id}`, { prove: true }, checkTransaction(id)),
    transactionAt: (endpoint, id, timeoutMs) =>
      nodes.attempt(endpoint, { path: `/v1/transactions/${id}?prove=true`, timeoutMs }, checkTransaction(id)),
    state(contract, key, height) {
      const path = `/v1/contracts/${encodeURIComponent(contract)}/state/${encodeURIComponent(key)}`
      const atLeast = nodes.minHeight
      const check = checking((document, trust) => {
        const proven = verifyState(document, { contract, key }, trust, verify)
        if (height === undefined ? proven.height < atLeast : proven.height !== height) {
          throw outOfTime(proven.height, height === undefined ? `${atLeast} or a later one` : String(height))
        }
        return proven
      })
      const query: Query = { prove: true, height, minHeight: PROVABLE_HEIGHT_MIN }
      return nodes.proven(path, query, check, 'UNKNOWN_KEY')
    },
    range: (from, to) => nodes.proven('/v1/events/range', rangeQuery(from, to), checkRange({ from, to })),
    rangeAt(endpoint, { from, to }, { timeoutMs, signal }) {
      const query = rangeQuery(from, to)
      return nodes.attempt(endpoint, { path: '/v1/events/range', query, timeoutMs, signal }, checkRange({ from, to }))
    },
    async bundle(kind, document) {
      const proven = verifyDocument(kind, document, await epochs.of(document), verify)
      return bundleOf(document, proven, epochs.linksTo(proven.trust.epoch))
    },
  }
}

/** Nobody certifies genesis: it is proven by the block that follows on it. */
const PROVABLE_HEIGHT_MIN = 1

/** A node waits a while for the height. */
const rangeQuery = (from: number, to: number | undefined) => ({
  from,
  to,
  minHeight: Math.max(from, PROVABLE_HEIGHT_MIN),
})

function outOfTime(height: number, asked: string): ClientError {
  return new ClientError('BAD_PROOF', `the value is that of height ${height}, asked for was ${asked}: ask another node`)
}
