// Transactions and pools for the tests of this folder. Signatures are made up: the pool never looks at them.
import { PARAMETER_DEFAULTS } from '../../src/limits.ts'
import { createMempool, MEMPOOL_LIMITS, type Mempool, type MempoolLimits } from '../../src/mempool/mempool.ts'
import type { Parameters } from '../../src/types/epoch.ts'
import { encode } from '../../src/types/schema.ts'
import { encodeTransaction, type UnsignedTransaction, unsignedTransactionCodec } from '../../src/types/transaction.ts'

export const NETWORK = 'ab'.repeat(32)
export const senderOf = (index: number): string => index.toString(16).padStart(64, '0')

export function wireOf(fields: Partial<UnsignedTransaction>, signature = 1): Uint8Array {
  const unsigned: UnsignedTransaction = {
    network: NETWORK,
    sender: senderOf(1),
    nonce: 0,
    expires: 0,
    gasLimit: 1_000,
    contract: 'token',
    method: 'transfer',
    args: new Uint8Array(),
    ...fields,
  }
  return encodeTransaction(encode(unsignedTransactionCodec, unsigned), new Uint8Array(64).fill(signature))
}

/** A pool over an executed state that the test changes: next nonces, parameters, who may transact. */
export function poolWith(limits: Partial<MempoolLimits> = {}) {
  const nonces = new Map<string, number>()
  const banned = new Set<string>()
  let parameters: Parameters = PARAMETER_DEFAULTS
  const pool = createMempool({
    genesisHash: NETWORK,
    limits: { ...MEMPOOL_LIMITS, ...limits },
    parameters: () => parameters,
    nonceOf: (sender) => nonces.get(sender) ?? 0,
    mayTransact: (sender) => !banned.has(sender),
    intrinsicGas: (bytes) => bytes,
  })
  return {
    pool,
    nonces,
    banned,
    setParameters(changes: Partial<Parameters>) {
      parameters = { ...parameters, ...changes }
    },
  }
}

/** Checks and admits, as a node does with a good signature. Gives the id, or the refusal's code. */
export function offer(pool: Mempool, wire: Uint8Array, source = 'local', now = 0, height = 0): string {
  const checked = pool.check(wire, height, source)
  if (!checked.ok) return checked.code
  const admission = pool.admit(checked, source, now)
  return admission.ok ? admission.id : admission.code
}

export const ROOM = { transactionsMax: 1_000, bytesMax: 2 * 1024 * 1024, gasMax: 10_000_000_000 }
export const NONE_IN_FLIGHT = () => 0
export const noncesOf = (transactions: { sender: string; nonce: number }[]) =>
  transactions.map(({ sender, nonce }) => `${Number.parseInt(sender, 16)}/${nonce}`)
