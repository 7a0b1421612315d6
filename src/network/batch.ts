// A proposed batch's stateless validity: what every validator decides alike, whatever it has executed so far. State-dependent rules
// (nonces, expiry, permissions) are decided at execution.
import { transactionId, wireHash } from '../crypto/digest.ts'
import type { Batch } from '../types/block.ts'
import type { Parameters } from '../types/epoch.ts'
import { fromHex } from '../types/hex.ts'
import { DecodeError } from '../types/schema.ts'
import { decodeTransaction, type Transaction } from '../types/transaction.ts'

export interface BatchRules {
  genesisHash: string
  parameters: Parameters
  intrinsicGas: (wireBytes: number) => number
  /** True for wire forms whose signature was verified before, by their hash. */
  isVerified: (wireHash: string) => boolean
}

export interface SignatureItem {
  publicKey: Uint8Array
  message: Uint8Array
  signature: Uint8Array
}

export type BatchVerdict = { ok: true; unverified: SignatureItem[] } | { ok: false; reason: string }

/** Decodes and checks every transaction of a batch; the signatures not yet known are left for the caller to verify. */
export function checkBatch(batch: Batch, rules: BatchRules): BatchVerdict {
  const { blockTransactionsMax, blockBytesMax, blockGasMax } = rules.parameters
  const refuse = (reason: string): BatchVerdict => ({ ok: false, reason })
  if (batch.txs.length > blockTransactionsMax)
    return refuse(`${batch.txs.length} transactions, at most ${blockTransactionsMax}`)
  const unverified: SignatureItem[] = []
  const ids = new Set<string>()
  let bytes = 0
  let gas = 0
  for (const wire of batch.txs) {
    bytes += wire.length
    const transaction = read(wire)
    if (transaction === undefined) return refuse('a malformed transaction')
    const fault = transactionFault(transaction, rules)
    if (fault !== undefined) return refuse(fault)
    gas += transaction.gasLimit
    const id = transactionId(transaction.unsigned)
    if (ids.has(id)) return refuse(`transaction ${id} twice`)
    ids.add(id)
    if (rules.isVerified(wireHash(wire))) continue
    unverified.push({
      publicKey: fromHex(transaction.sender),
      message: transaction.unsigned,
      signature: transaction.signature,
    })
  }
  if (bytes > blockBytesMax) return refuse(`${bytes} bytes, at most ${blockBytesMax}`)
  if (gas > blockGasMax) return refuse(`gas limits of ${gas}, at most ${blockGasMax}`)
  return { ok: true, unverified }
}

function read(wire: Uint8Array): Transaction | undefined {
  try {
    return decodeTransaction(wire)
  } catch (error) {
    if (error instanceof DecodeError) return undefined
    throw error
  }
}

function transactionFault(transaction: Transaction, rules: BatchRules): string | undefined {
  if (transaction.network !== rules.genesisHash) return 'a transaction of another network'
  if (transaction.gasLimit > rules.parameters.transactionGasMax) return 'a gas limit above the transaction maximum'
  if (transaction.gasLimit < rules.intrinsicGas(transaction.wire.length)) return 'a gas limit below the base cost'
  return undefined
}
