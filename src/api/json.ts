// Ledger data as the API's JSON: hashes and keys lower-case hexadecimal, addresses bech32m, times RFC 3339 in UTC, bytes base64.
import { addressOf } from '../crypto/address.ts'
import type { Certificate, ContractEvent, Header, Receipt } from '../types/block.ts'
import type { Validator } from '../types/epoch.ts'
import { fromHex, toHex } from '../types/hex.ts'
import { parseOrText } from '../types/json.ts'
import type { Transaction } from '../types/transaction.ts'

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true })

export const senderAddress = (key: string): string => addressOf(fromHex(key))
export const timeText = (timeMs: number): string => new Date(timeMs).toISOString()
export const textOf = (bytes: Uint8Array): string => utf8.decode(bytes)
export const base64 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')

/** Every field of the header, so that its canonical bytes, and so its hash, can be made again from this. */
export function headerJson(header: Header) {
  return { ...header, time: timeText(header.time), proposers: toHex(header.proposers) }
}

export function certificateJson({ height, blockHash, signatures }: Certificate) {
  return {
    height,
    blockHash,
    signatures: signatures.map(({ signer, signature }) => ({ signer, signature: toHex(signature) })),
  }
}

export function validatorJson({ name, key, log }: Validator) {
  return { name, key, address: senderAddress(key), log }
}

export const eventJson = ({ contract, name, data }: ContractEvent) => ({
  contract,
  name,
  data: parseOrText(textOf(data)),
})

export function errorJson({ status, code, message }: Receipt, explain: (code: string) => string) {
  return status === 'ok' ? null : { code, message: message === '' ? explain(code) : message }
}

/** One transaction beside its outcome. `height` and `index` are where it is, or for a dry run would be. */
export function transactionJson(
  transaction: Transaction,
  receipt: Receipt,
  place: { height: number; index: number },
  explain: (code: string) => string,
) {
  return {
    id: receipt.txId,
    height: place.height,
    index: place.index,
    sender: senderAddress(transaction.sender),
    nonce: transaction.nonce,
    expires: transaction.expires,
    gasLimit: transaction.gasLimit,
    contract: transaction.contract,
    method: transaction.method,
    args: parseOrText(textOf(transaction.args)),
    status: receipt.status,
    gasUsed: receipt.gasUsed,
    result: receipt.result.length === 0 ? null : parseOrText(textOf(receipt.result)),
    error: errorJson(receipt, explain),
    events: receipt.events.map(eventJson),
  }
}
export type TransactionJson = ReturnType<typeof transactionJson>
