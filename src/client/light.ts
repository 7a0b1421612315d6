// Light verification: whether a transaction's document, as any server gives it, is what the network agreed on. Nothing the server
// says is believed: a quorum's signatures prove the header, the header's roots prove the receipt and the transaction, and every
// readable field is compared with those bytes. Runs in Node and in browsers (docs/protocol.md, "Reads and light clients").
import { addressOf } from '../crypto/address.ts'
import { blockHash, transactionId } from '../crypto/digest.ts'
import { verifyReference } from '../crypto/ed25519.ts'
import { verifyMerklePath } from '../crypto/merkle.ts'
import { type Certificate, type Header, headerCodec, type Receipt, receiptCodec } from '../types/block.ts'
import { fromHex } from '../types/hex.ts'
import { signedBytes } from '../types/message.ts'
import { decode, encode } from '../types/schema.ts'
import { decodeTransaction, type Transaction } from '../types/transaction.ts'
import { fromBase64 } from './base64.ts'
import { ClientError } from './error.ts'
import type { TrustedEpoch } from './genesis.ts'
import { sameJson } from './json.ts'

export { ClientError } from './error.ts'
export { type TrustedEpoch, trustGenesis } from './genesis.ts'

export type VerifySignature = (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean

/** What the proof proves, read from the proven bytes. */
export interface ProvenTransaction {
  height: number
  index: number
  /** Milliseconds since 1970, as the validators agreed. */
  time: number
  blockHash: string
  header: Header
  receipt: Receipt
  transaction: Transaction
}

/** A document of `GET /v1/transactions/{id}?prove=true`, none of whose fields is trusted. */
export interface TransactionDocument {
  id: string
  height: number
  index: number
  sender: string
  nonce: number
  expires: number
  gasLimit: number
  contract: string
  method: string
  args: unknown
  status: 'ok' | 'reverted' | 'skipped'
  gasUsed: number
  result: unknown
  error: { code: string; message: string } | null
  events: { contract: string; name: string; data: unknown }[]
  proof?: unknown
}

/**
 * Checks the document against its proof. `id` is the transaction that was asked for. Throws ClientError `BAD_PROOF` that says what
 * does not hold. Two things no proof shows: the explanation beside an error code that is not a contract's own words, and the number
 * of transactions in the block, since a tree's root does not tell it (RFC 6962); the position follows from the path's turns and that
 * number.
 */
export function verifyTransaction(
  document: unknown,
  id: string,
  trust: TrustedEpoch,
  verify: VerifySignature = verifyReference,
): ProvenTransaction {
  const given = requireObject(document, 'the document')
  const proof = requireObject(given.proof, 'its proof')
  const header = readHeader(proof.header)
  verifyHeader(header, proof.certificate, trust, verify)
  const receiptBytes = requireBytes(proof.receipt, 'receipt')
  const wire = requireBytes(proof.transaction, 'transaction')
  const receipt = attempt('its receipt is not canonical', () => decode(receiptCodec, receiptBytes))
  const transaction = attempt('its transaction is not canonical', () => decodeTransaction(wire))
  const place = { index: proof.index as number, size: proof.count as number }
  requireLeaf('receipt', {
    ...place,
    leaf: receiptBytes,
    path: requirePath(proof.receiptPath),
    root: fromHex(header.receiptsRoot),
  })
  requireLeaf('transaction', {
    ...place,
    leaf: fromHex(receipt.txId),
    path: requirePath(proof.transactionPath),
    root: fromHex(header.txRoot),
  })
  if (receipt.txId !== id) refuse(`it is about transaction ${receipt.txId}, asked for was ${id}`)
  if (transactionId(transaction.unsigned) !== receipt.txId) refuse('its transaction has another id than its receipt')
  if (transaction.network !== header.genesisHash) refuse('its transaction is for another network')
  if (transaction.sender !== receipt.sender || transaction.nonce !== receipt.nonce)
    refuse('its receipt is not of its transaction')
  const proven = {
    height: header.height,
    index: place.index,
    time: header.time,
    blockHash: blockHash(header),
    header,
    receipt,
    transaction,
  }
  compareFields(given, proven)
  return proven
}

/** That a quorum of the trusted epoch signed this header. Throws ClientError `BAD_PROOF`. */
export function verifyHeader(
  header: Header,
  certificate: unknown,
  trust: TrustedEpoch,
  verify: VerifySignature = verifyReference,
): void {
  if (header.genesisHash !== trust.genesisHash)
    refuse(`its header is of network ${header.genesisHash}, expected ${trust.genesisHash}`)
  if (header.epoch !== trust.epoch || header.validatorsHash !== trust.validatorsHash) {
    refuse(
      `its header is of epoch ${header.epoch} and another validator set than the one of epoch ${trust.epoch} known here`,
    )
  }
  const { height, blockHash: hash, signatures } = readCertificate(certificate)
  if (height !== header.height || hash !== blockHash(header)) refuse('its certificate is for another header')
  const { genesisHash, epoch, validatorsHash } = header
  const message = signedBytes('exec', { genesisHash, epoch, validatorsHash, height, blockHash: hash })
  const signers = new Set<number>()
  for (const { signer, signature } of signatures) {
    const validator = trust.validators[signer]
    if (validator === undefined) refuse(`its certificate names validator ${signer} of ${trust.validators.length}`)
    if (signers.has(signer)) refuse(`its certificate counts ${validator.name} twice`)
    if (!verify(fromHex(validator.key), message, signature))
      refuse(`its certificate has a signature that is not ${validator.name}'s`)
    signers.add(signer)
  }
  if (signers.size < trust.quorum) refuse(`its certificate has ${signers.size} signatures, a quorum is ${trust.quorum}`)
}

/** The header's fields as JSON, brought back into canonical bytes: only the one true form of each passes. */
export function readHeader(value: unknown): Header {
  const given = requireObject(value, 'its header')
  return attempt('its header is not one', () => {
    const header = {
      ...given,
      time: Date.parse(given.time as string),
      proposers: fromHex(given.proposers as string),
    } as unknown as Header
    if (new Date(header.time).toISOString() !== given.time) throw new RangeError('time is not RFC 3339')
    return decode(headerCodec, encode(headerCodec, header))
  })
}

function readCertificate(value: unknown): Certificate {
  const given = requireObject(value, 'its certificate')
  return attempt('its certificate is not one', () => ({
    height: given.height as number,
    blockHash: given.blockHash as string,
    signatures: Array.from((given.signatures as unknown[]).slice(0, SIGNATURES_MAX), (entry) => {
      const { signer, signature } = requireObject(entry, 'a signature')
      if (!Number.isSafeInteger(signer)) throw new RangeError('a signer is no whole number')
      return { signer: signer as number, signature: fromHex(signature as string) }
    }),
  }))
}
/** As many validators as there can be; checking more would only cost time. */
const SIGNATURES_MAX = 100

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true })

/** Every readable field against what the proven bytes say. */
function compareFields(
  given: Record<string, unknown>,
  { height, index, receipt, transaction }: ProvenTransaction,
): void {
  const { contract, method, nonce, expires, gasLimit } = transaction
  const { status, gasUsed } = receipt
  const plain = {
    id: receipt.txId,
    height,
    index,
    sender: addressOf(fromHex(transaction.sender)),
    nonce,
    expires,
    gasLimit,
    contract,
    method,
    status,
    gasUsed,
  }
  for (const [name, value] of Object.entries(plain)) {
    if (given[name] !== value) refuse(`${name} says ${JSON.stringify(given[name])}, proven is ${JSON.stringify(value)}`)
  }
  requireJson('args', given.args, transaction.args)
  if (receipt.result.length > 0) requireJson('result', given.result, receipt.result)
  else if (given.result !== null) refuse('result has a value, proven is none')
  compareError(given.error, receipt)
  const events = Array.isArray(given.events) ? given.events : []
  if (!Array.isArray(given.events) || events.length !== receipt.events.length) {
    refuse(`events are not the ${receipt.events.length} that are proven`)
  }
  receipt.events.forEach((event, at) => {
    const { contract, name, data } = requireObject(events[at], `event ${at}`)
    if (contract !== event.contract || name !== event.name) refuse(`event ${at} is not ${event.contract}.${event.name}`)
    requireJson(`event ${at}`, data, event.data)
  })
}

function compareError(error: unknown, { status, code, message }: Receipt): void {
  if (status === 'ok') {
    if (error !== null) refuse('error has a value, proven is that the transaction is ok')
    return
  }
  const given = requireObject(error, 'its error')
  if (given.code !== code) refuse(`error says ${JSON.stringify(given.code)}, proven is ${code}`)
  if (message !== '' && given.message !== message) refuse(`the error's message is not the one that is proven`)
}

/** The proven bytes are JSON text; a server shows their value, or the text itself where it is none. */
function requireJson(name: string, given: unknown, proven: Uint8Array): void {
  const text = utf8.decode(proven)
  if (given === text) return
  const value = attempt(`${name} is not the text that is proven`, (): unknown => JSON.parse(text))
  if (!sameJson(given, value)) refuse(`${name} is not the value that is proven`)
}

function requireLeaf(name: string, claim: Parameters<typeof verifyMerklePath>[0]): void {
  if (!verifyMerklePath(claim)) refuse(`its ${name} is not in the block`)
}

function requirePath(value: unknown): Uint8Array[] {
  if (!Array.isArray(value) || value.length > 64) refuse('a Merkle path is missing or too long')
  return attempt('a Merkle path is not of hashes', () => (value as string[]).map(fromHex))
}

function requireBytes(value: unknown, name: string): Uint8Array {
  return fromBase64(value) ?? refuse(`its ${name} is not base64`)
}

function requireObject(value: unknown, name: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  return refuse(`${name} is missing`)
}

function attempt<T>(reason: string, make: () => T): T {
  try {
    return make()
  } catch (cause) {
    return refuse(`${reason} (${cause instanceof Error ? cause.message : cause})`, cause)
  }
}

function refuse(reason: string, cause?: unknown): never {
  throw new ClientError(
    'BAD_PROOF',
    `the transaction's document does not hold: ${reason}; do not believe this server, ask another`,
    { cause },
  )
}
