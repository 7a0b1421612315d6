// Batches (what is ordered), headers and receipts (what execution made of them), certificates (who vouches for it).
import { VALIDATORS_MAX } from './epoch.ts'
import { bytes, hex, list, oneOf, struct, text, uint, type ValueOf } from './schema.ts'
import { TRANSACTION_BYTES_MAX } from './transaction.ts'

export const BATCH_TRANSACTIONS_MAX = 10_000
export const ZERO_HASH = '0'.repeat(64)

/** `view` is that of the batch's first proposal, `proposer` that validator's key, `time` its proposal in ms since 1970, `txs` wire forms. */
export const batchCodec = struct('quorate/batch/1', {
  view: uint(),
  proposer: hex(32),
  time: uint(),
  txs: list(bytes(1, TRANSACTION_BYTES_MAX), BATCH_TRANSACTIONS_MAX),
})
export type Batch = ValueOf<typeof batchCodec>

/** The null batch fills a sequence that nobody may have committed; its digest and proposer are ZERO_HASH. */
export const NULL_BATCH: Batch = { view: 0, proposer: ZERO_HASH, time: 0, txs: [] }

export const headerCodec = struct('quorate/header/1', {
  genesisHash: hex(32),
  epoch: uint(),
  height: uint(),
  parentHash: hex(32),
  batchDigest: hex(32),
  txRoot: hex(32),
  receiptsRoot: hex(32),
  stateRoot: hex(32),
  time: uint(),
  proposer: hex(32),
  validatorsHash: hex(32),
  nextValidatorsHash: hex(32),
  epochEnd: uint(),
  proposers: bytes(0, 4096),
})
export type Header = ValueOf<typeof headerCodec>

const eventCodec = struct('', { contract: text(40), name: text(64), data: bytes(0, 64 * 1024) })
export type ContractEvent = ValueOf<typeof eventCodec>

/** The agreed outcome of one transaction. `code` is empty when ok; `message` is only ever a contract's own thrown text. */
export const receiptCodec = struct('quorate/receipt/1', {
  txId: hex(32),
  sender: hex(32),
  nonce: uint(),
  status: oneOf('ok', 'reverted', 'skipped'),
  code: text(64),
  message: text(1024),
  gasUsed: uint(),
  result: bytes(0, 1024 * 1024),
  events: list(eventCodec, 1024),
})
export type Receipt = ValueOf<typeof receiptCodec>

/** EXEC signatures of distinct validators over one header; `signer` is an index into that height's validator list. */
export const certificateCodec = struct('quorate/certificate/1', {
  height: uint(),
  blockHash: hex(32),
  signatures: list(struct('', { signer: uint(VALIDATORS_MAX), signature: bytes(64) }), VALIDATORS_MAX),
})
export type Certificate = ValueOf<typeof certificateCodec>
