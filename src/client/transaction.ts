// Transactions as a client makes them: from what it wants to the signed bytes.

import { addressOf } from '../crypto/address.ts'
import { transactionId } from '../crypto/digest.ts'
import { publicKeyOf, signReference } from '../crypto/ed25519.ts'
import { toHex } from '../types/hex.ts'
import { encode } from '../types/schema.ts'
import { encodeTransaction, type UnsignedTransaction, unsignedTransactionCodec } from '../types/transaction.ts'

/** Whatever signs: a key of the keystore, a hardware device, `keyFromSeed`. */
export interface Signer {
  readonly publicKey: Uint8Array
  sign(message: Uint8Array): Uint8Array | Promise<Uint8Array>
}

export interface SignedTransaction {
  id: string
  /** The wire form: what nodes take, in base64. */
  wire: Uint8Array
  unsigned: UnsignedTransaction
}

/** The fields to sign; `args` is JSON text, `network` the genesis hash. */
export interface TransactionFields {
  network: string
  nonce: number
  expires: number
  gasLimit: number
  contract: string
  method: string
  args: string
}

/** A key from its 32-byte seed, in portable code: for browsers, where there is no keystore. */
export function keyFromSeed(seed: Uint8Array): Signer & { address: string } {
  const publicKey = publicKeyOf(seed)
  return { publicKey, address: addressOf(publicKey), sign: (message) => signReference(seed, message) }
}

export async function signTransaction(key: Signer, fields: TransactionFields): Promise<SignedTransaction> {
  const unsigned = { ...fields, sender: toHex(key.publicKey), args: new TextEncoder().encode(fields.args) }
  const bytes = encode(unsignedTransactionCodec, unsigned)
  return { id: transactionId(bytes), wire: encodeTransaction(bytes, await key.sign(bytes)), unsigned }
}

/**
 * The wire form without a signature, for dry runs: they look at none, and a node that is handed a valid one could send it on as a
 * transaction that nobody meant.
 */
export function unsignedForDryRun(key: Pick<Signer, 'publicKey'>, fields: TransactionFields): Uint8Array {
  const unsigned = { ...fields, sender: toHex(key.publicKey), args: new TextEncoder().encode(fields.args) }
  return encodeTransaction(encode(unsignedTransactionCodec, unsigned), new Uint8Array(64))
}
