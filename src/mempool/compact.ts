// A transaction as the pool keeps it: one copy of its bytes, of which the parts are views, and texts shared with others. Decoding
// makes a copy of each part, which triples what a full pool takes in memory.
import type { Transaction } from '../types/transaction.ts'

const SIGNATURE_BYTES = 64
/** The CBOR head of a byte string of 64. */
const SIGNATURE_HEAD_BYTES = 2

/** Equal to `transaction`, which is of network `network`. `sender` is its sender, from wherever that text is held already. */
export function compact(transaction: Transaction, network: string, sender: string): Transaction {
  const { unsigned, args, nonce, expires, gasLimit, contract, method } = transaction
  // A copy also of a wire form that is a view: it would keep the whole message it came in.
  const wire = transaction.wire.slice()
  // The signature comes last in the wire form, the unsigned bytes before it, the arguments last in those.
  const unsignedEnd = wire.length - SIGNATURE_BYTES - SIGNATURE_HEAD_BYTES
  return {
    network,
    sender,
    nonce,
    expires,
    gasLimit,
    contract,
    method,
    args: wire.subarray(unsignedEnd - args.length, unsignedEnd),
    wire,
    unsigned: wire.subarray(unsignedEnd - unsigned.length, unsignedEnd),
    signature: wire.subarray(wire.length - SIGNATURE_BYTES),
  }
}
