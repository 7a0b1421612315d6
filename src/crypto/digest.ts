// The hashes that name things: transactions, batches, blocks, epochs, networks. All SHA-256, lower-case hexadecimal in memory.
import { type Batch, type Header, headerCodec, type Receipt, receiptCodec, ZERO_HASH } from '../types/block.ts'
import { type EpochRecord, epochRecordCodec, type Genesis, genesisCodec } from '../types/epoch.ts'
import { fromHex, toHex } from '../types/hex.ts'
import { encode, hex, list, struct, uint } from '../types/schema.ts'
import { sha256 } from './hash.ts'
import { merkleRoot } from './merkle.ts'

const hashOf = (bytes: Uint8Array): string => toHex(sha256(bytes))

const batchDigestCodec = struct('quorate/batch-digest/1', {
  view: uint(),
  proposer: hex(32),
  time: uint(),
  wireHashes: list(hex(32), Number.MAX_SAFE_INTEGER),
})

/** SHA-256 of the unsigned bytes: the id a client knows before anything is signed. */
export const transactionId = (unsigned: Uint8Array): string => hashOf(unsigned)

/** SHA-256 of the wire form, signature included: what a batch's digest covers. */
export const wireHash = (wire: Uint8Array): string => hashOf(wire)

/** Covers the first proposal's view, its proposer and time, and each transaction's wire hash in order. */
export function batchDigest(batch: Batch): string {
  const { view, proposer, time, txs } = batch
  if (proposer === ZERO_HASH && view === 0 && time === 0 && txs.length === 0) return ZERO_HASH
  return hashOf(encode(batchDigestCodec, { view, proposer, time, wireHashes: txs.map(wireHash) }))
}

export const blockHash = (header: Header): string => hashOf(encode(headerCodec, header))
export const epochHash = (record: EpochRecord): string => hashOf(encode(epochRecordCodec, record))
export const genesisHash = (genesis: Genesis): string => hashOf(encode(genesisCodec, genesis))

/** RFC 6962 tree hash over transaction ids. */
export const transactionsRoot = (ids: string[]): string => toHex(merkleRoot(ids.map(fromHex)))
/** RFC 6962 tree hash over receipt bytes. */
export const receiptsRoot = (receipts: Receipt[]): string =>
  toHex(merkleRoot(receipts.map((receipt) => encode(receiptCodec, receipt))))

/** The first epoch's record: genesis fixes it. */
export function firstEpoch(genesis: Genesis): EpochRecord {
  return {
    epoch: 0,
    start: 0,
    validators: genesis.validators,
    parameters: genesis.parameters,
    proposers: new Uint8Array(),
  }
}
