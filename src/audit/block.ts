// What one block must be, looking at nothing but it, its parent and the network: everything a header commits to is computed again.
// Signatures are handed back to be checked in other threads; execution is another file's.
import { batchDigest, blockHash, receiptsRoot, transactionId, transactionsRoot } from '../crypto/digest.ts'
import type { SignedItem } from '../crypto/verifier.ts'
import { blockTime } from '../execution/header.ts'
import { type Batch, batchCodec, type Certificate, type Header, type Receipt, ZERO_HASH } from '../types/block.ts'
import { fromHex } from '../types/hex.ts'
import { signedBytes } from '../types/message.ts'
import { DecodeError, decode } from '../types/schema.ts'
import { decodeTransaction, type Transaction } from '../types/transaction.ts'
import { type Finding, finding } from './finding.ts'
import type { Network } from './network.ts'

/** The block before: what its child must name and follow. */
export interface Parent {
  blockHash: string
  time: number
}

/** `storedHash` is the hash the block is known by. Without a parent the link is not looked at. */
export function checkHeader(
  network: Network,
  height: number,
  { header, blockHash: storedHash }: { header: Header; blockHash: string },
  parent: Parent | undefined,
): Finding | undefined {
  const { epoch, genesisHash, validatorsHash } = network
  const wrong = (part: string, expected: unknown, found: unknown) => finding(height, part, expected, found)
  const hash = blockHash(header)
  if (hash !== storedHash) return wrong('the header', `the hash ${storedHash}`, `a header with the hash ${hash}`)
  if (header.height !== height) return wrong('the height in the header', height, header.height)
  if (header.genesisHash !== genesisHash) return wrong('the network in the header', genesisHash, header.genesisHash)
  const parentHash = height === 0 ? ZERO_HASH : parent?.blockHash
  if (parentHash !== undefined && header.parentHash !== parentHash)
    return wrong('the parent hash', parentHash, header.parentHash)
  if (header.epoch !== epoch.epoch) return wrong('the epoch', epoch.epoch, header.epoch)
  for (const field of ['validatorsHash', 'nextValidatorsHash'] as const) {
    if (header[field] !== validatorsHash) return wrong(`the ${FIELDS[field]}`, validatorsHash, header[field])
  }
  return undefined
}

const FIELDS = { validatorsHash: "validators' hash", nextValidatorsHash: "next validators' hash" } as const

/** The signatures to check, in the certificate's order, or what is wrong without looking at them. */
export function checkCertificate(
  network: Network,
  { header, blockHash: hash }: { header: Header; blockHash: string },
  certificate: Certificate,
): Finding | SignedItem[] {
  const { height, epoch } = header
  const { genesisHash, validatorsHash, quorum, keys } = network
  const wrong = (expected: unknown, found: unknown) => finding(height, 'the certificate', expected, found)
  if (certificate.height !== height || certificate.blockHash !== hash) {
    const other = `one for block ${certificate.height} with the hash ${certificate.blockHash}`
    return wrong(`one for block ${height} with the hash ${hash}`, other)
  }
  const stranger = certificate.signatures.find(({ signer }) => signer >= keys.length)
  if (stranger !== undefined) return wrong(`signers from 0 to ${keys.length - 1}`, `signer ${stranger.signer}`)
  const signers = certificate.signatures.map(({ signer }) => signer)
  const twice = signers.find((signer, index) => signers.indexOf(signer) !== index)
  if (twice !== undefined) return wrong('each validator once', `validator ${twice} twice`)
  if (signers.length < quorum) return wrong(`${quorum} signatures`, signers.length)
  const message = signedBytes('exec', { genesisHash, epoch, validatorsHash, height, blockHash: hash })
  return certificate.signatures.map(({ signer, signature }) => ({ publicKey: keys[signer]!, message, signature }))
}

/** The block's transactions, or what of its batch and receipts is not what the header says. */
export function checkBody(
  network: Network,
  header: Header,
  body: { batch: Uint8Array; receipts: Receipt[] | undefined },
  parent: Parent | undefined,
): Finding | Transaction[] {
  const { height } = header
  const wrong = (part: string, expected: unknown, found: unknown) => finding(height, part, expected, found)
  const decoded = decodeBatch(body.batch)
  if (typeof decoded === 'string') return wrong('the batch', 'one in canonical form', decoded)
  const { batch, transactions } = decoded
  const digest = batchDigest(batch)
  if (digest !== header.batchDigest) return wrong('the batch', `the digest ${header.batchDigest}`, digest)
  if (batch.proposer !== header.proposer) return wrong('the proposer', batch.proposer, header.proposer)
  const time = parent === undefined ? header.time : blockTime(parent.time, batch)
  if (header.time !== time) return wrong('the time', time, header.time)
  const ids = transactions.map(({ unsigned }) => transactionId(unsigned))
  const stranger = transactions.findIndex((transaction) => transaction.network !== network.genesisHash)
  if (stranger >= 0)
    return wrong(`the network of transaction ${stranger}`, network.genesisHash, transactions[stranger]!.network)
  const txRoot = transactionsRoot(ids)
  if (txRoot !== header.txRoot) return wrong('the transaction root', header.txRoot, txRoot)
  if (body.receipts === undefined) return transactions
  return checkReceipts(header, body.receipts, transactions, ids) ?? transactions
}

function checkReceipts(
  header: Header,
  receipts: Receipt[],
  transactions: Transaction[],
  ids: string[],
): Finding | undefined {
  const { height } = header
  if (receipts.length !== ids.length)
    return finding(height, 'the receipts', `${ids.length}, one for each transaction`, receipts.length)
  for (const [index, { txId, sender, nonce }] of receipts.entries()) {
    const own = transactions[index]!
    const part = `receipt ${index}`
    if (txId !== ids[index]) return finding(height, part, `that of transaction ${ids[index]}`, `that of ${txId}`)
    if (sender !== own.sender) return finding(height, part, `sender ${own.sender}`, sender)
    if (nonce !== own.nonce) return finding(height, part, `nonce ${own.nonce}`, nonce)
  }
  const root = receiptsRoot(receipts)
  return root === header.receiptsRoot ? undefined : finding(height, 'the receipts root', header.receiptsRoot, root)
}

function decodeBatch(bytes: Uint8Array): { batch: Batch; transactions: Transaction[] } | string {
  try {
    const batch = decode(batchCodec, bytes)
    return { batch, transactions: batch.txs.map(decodeTransaction) }
  } catch (error) {
    if (error instanceof DecodeError) return error.message
    throw error
  }
}

/** What a sender signed. */
export const signatureOf = ({ sender, unsigned, signature }: Transaction): SignedItem => ({
  publicKey: fromHex(sender),
  message: unsigned,
  signature,
})
