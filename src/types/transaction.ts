// Transactions as clients sign them and as they travel.
import { bytes, type Codec, decode, encode, hex, struct, text, uint, type ValueOf } from './schema.ts'

/** Bytes of one transaction on the wire, signature included. */
export const TRANSACTION_BYTES_MAX = 512 * 1024
export const CONTRACT_NAME = /^[a-z][a-z0-9-]{1,39}$/
export const METHOD_BYTES_MAX = 64

/**
 * What a client signs. `network` is the genesis hash, `sender` the 32-byte Ed25519 key (both hexadecimal in memory), `expires` the
 * last height at which it may run (0: never expires), `args` UTF-8 JSON that only the sandbox parses.
 */
export const unsignedTransactionCodec = struct('quorate/tx/1', {
  network: hex(32),
  sender: hex(32),
  nonce: uint(),
  expires: uint(),
  gasLimit: uint(),
  contract: text(40),
  method: text(METHOD_BYTES_MAX),
  args: bytes(0, TRANSACTION_BYTES_MAX),
})
export type UnsignedTransaction = ValueOf<typeof unsignedTransactionCodec>

const wireCodec: Codec<{ unsigned: Uint8Array; signature: Uint8Array }> = struct('', {
  unsigned: bytes(0, TRANSACTION_BYTES_MAX),
  signature: bytes(64),
})

/** A decoded transaction beside the bytes it came in: its id and signature are over `unsigned` as received, never re-encoded. */
export interface Transaction extends UnsignedTransaction {
  wire: Uint8Array
  unsigned: Uint8Array
  signature: Uint8Array
}

export function encodeTransaction(unsigned: Uint8Array, signature: Uint8Array): Uint8Array {
  return encode(wireCodec, { unsigned, signature })
}

/** Reads the wire form; throws DecodeError. The signature is not checked here. */
export function decodeTransaction(wire: Uint8Array): Transaction {
  const { unsigned, signature } = decode(wireCodec, wire)
  return { ...decode(unsignedTransactionCodec, unsigned), wire, unsigned, signature }
}
