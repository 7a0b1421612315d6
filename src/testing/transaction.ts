// Transactions as a test asks for them, signed and checked as on a network.
import { transactionId } from '../crypto/digest.ts'
import { intrinsicGas } from '../execution/cost.ts'
import { checkContent } from '../mempool/rules.ts'
import { checkBatch } from '../network/batch.ts'
import type { Batch } from '../types/block.ts'
import type { Parameters } from '../types/epoch.ts'
import { fromHex } from '../types/hex.ts'
import { encode } from '../types/schema.ts'
import {
  decodeTransaction,
  encodeTransaction,
  type Transaction,
  unsignedTransactionCodec,
} from '../types/transaction.ts'
import { accountOf } from './account.ts'
import { TransactionRefused } from './failure.ts'

export interface SendOptions {
  /** The name of the account that signs. */
  from?: string
  /** Unless given, as high as the network allows. */
  gasLimit?: number
  /** The last height at which it may run; unless given, it never expires. */
  expires?: number
  /** Unless given, the sender's next. */
  nonce?: number
}

export interface CallRequest extends SendOptions {
  contract: string
  method: string
  /** Any JSON; {} unless given. */
  args?: unknown
}

export function signTransaction(
  {
    contract,
    method,
    args = {},
    from,
    gasLimit,
    expires = 0,
    nonce,
  }: CallRequest & Required<Pick<SendOptions, 'from' | 'gasLimit' | 'nonce'>>,
  network: string,
): Transaction {
  const { publicKey, sign } = accountOf(from)
  const unsigned = encode(unsignedTransactionCodec, {
    network,
    sender: publicKey,
    nonce,
    expires,
    gasLimit,
    contract,
    method,
    args: new TextEncoder().encode(JSON.stringify(args)),
  })
  return decodeTransaction(encodeTransaction(unsigned, fromHex(sign(unsigned))))
}

/** Throws TransactionRefused for what no validator's pool takes, or a batch that validators would not vote for. */
export function checkAsValidator(batch: Batch, genesisHash: string, parameters: Parameters): void {
  const poolRules = { genesisHash, parameters: () => parameters, intrinsicGas }
  for (const wire of batch.txs) {
    const transaction = decodeTransaction(wire)
    const refusal = checkContent(poolRules, transaction, transactionId(transaction.unsigned))
    if (refusal !== undefined) throw new TransactionRefused(refusal.message)
  }
  // The signatures are this process's own, made a moment ago.
  const verdict = checkBatch(batch, { genesisHash, parameters, intrinsicGas, isVerified: () => true })
  if (!verdict.ok) throw new TransactionRefused(`the block has ${verdict.reason}`)
}
