// Whether a transaction's document, as any server gives it, is what the network agreed on. Nothing the server says is believed: a
// quorum's signatures prove the header, the header's roots prove the receipt and the transaction, and every readable field is compared
// with those bytes (docs/proofs.md, "Transactions").
import { addressOf } from '../crypto/address.ts'
import { transactionId } from '../crypto/digest.ts'
import { verifyReference } from '../crypto/ed25519.ts'
import { isIndexCertain, verifyMerklePath } from '../crypto/merkle.ts'
import { BATCH_TRANSACTIONS_MAX, type Receipt, receiptCodec } from '../types/block.ts'
import { fromHex } from '../types/hex.ts'
import { decode } from '../types/schema.ts'
import { decodeTransaction, type Transaction } from '../types/transaction.ts'
import type { TrustedEpoch } from './genesis.ts'
import { type CertifiedHeader, readHeader, type VerifySignature, verifyHeader } from './header.ts'
import {
  attempt,
  type Json,
  refuse,
  requireBytes,
  requireJson,
  requireList,
  requireObject,
  requirePath,
  requireSame,
  requireText,
  shown,
} from './read.ts'

/** What the proof proves, read from the proven bytes. */
export interface ProvenTransaction extends CertifiedHeader {
  index: number
  /** False where the block might have another number of transactions, so that this one would stand elsewhere in it. */
  isIndexProven: boolean
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
  const certified = verifyHeader(readHeader(proof.header), proof.certificate, trust, verify)
  const { header } = certified
  const receiptBytes = requireBytes(proof.receipt, 'its receipt')
  const wire = requireBytes(proof.transaction, 'its transaction')
  const receipt = attempt('its receipt is not canonical', () => decode(receiptCodec, receiptBytes))
  const transaction = attempt('its transaction is not canonical', () => decodeTransaction(wire))
  const place = { index: proof.index as number, size: requireCount(proof.count) }
  requireLeaf('receipt', place, receiptBytes, proof.receiptPath, header.receiptsRoot)
  requireLeaf('transaction', place, fromHex(receipt.txId), proof.transactionPath, header.txRoot)
  if (receipt.txId !== id) refuse(`it is about transaction ${receipt.txId}, asked for was ${shown(id)}`)
  if (transactionId(transaction.unsigned) !== receipt.txId) refuse('its transaction has another id than its receipt')
  if (transaction.network !== header.genesisHash) refuse('its transaction is for another network')
  if (transaction.sender !== receipt.sender || transaction.nonce !== receipt.nonce)
    refuse('its receipt is not of its transaction')
  // Its id does not cover the signature, and a block has no transaction with a wrong one.
  if (!verify(fromHex(transaction.sender), transaction.unsigned, transaction.signature))
    refuse("its transaction has a signature that is not its sender's")
  const proven = { ...certified, index: place.index, isIndexProven: isIndexCertain(place), receipt, transaction }
  compareFields(given, proven)
  return proven
}

/** Every readable field against what the proven bytes say. */
function compareFields(given: Json, { height, index, receipt, transaction }: ProvenTransaction): void {
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
  for (const [name, value] of Object.entries(plain)) requireSame(name, given[name], value)
  requireJson('args', given.args, transaction.args)
  if (receipt.result.length > 0) requireJson('result', given.result, receipt.result)
  else if (given.result !== null) refuse('result has a value, proven is none')
  compareError(given.error, receipt)
  const events = requireList(given.events, 'events', receipt.events.length)
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
  requireSame('error.code', given.code, code)
  if (message === '') requireText(given.message, 'error.message')
  else requireSame('error.message', given.message, message)
}

function requireCount(count: unknown): number {
  if (Number.isSafeInteger(count) && (count as number) <= BATCH_TRANSACTIONS_MAX) return count as number
  return refuse(`count says ${shown(count)}, a block has at most ${BATCH_TRANSACTIONS_MAX} transactions`)
}

function requireLeaf(
  name: string,
  place: { index: number; size: number },
  leaf: Uint8Array,
  siblings: unknown,
  root: string,
): void {
  const path = requirePath(siblings, `its ${name}`)
  if (!verifyMerklePath({ ...place, leaf, path, root: fromHex(root) })) refuse(`its ${name} is not in the block`)
}
