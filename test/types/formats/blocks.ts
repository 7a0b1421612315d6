// Transactions, blocks, what a quorum signs of them, and the network they are of.
import * as block from '../../../src/types/block.ts'
import * as epoch from '../../../src/types/epoch.ts'
import { encode } from '../../../src/types/schema.ts'
import * as transaction from '../../../src/types/transaction.ts'
import type { Source } from '../source.ts'
import { type Format, format, raw } from './format.ts'

// Transactions

const makeUnsigned = (s: Source): transaction.UnsignedTransaction => ({
  network: s.hash(),
  sender: s.hash(),
  nonce: s.uint(),
  expires: s.uint(),
  gasLimit: s.uint(),
  contract: s.text(40),
  method: s.text(64),
  args: s.bytes(0, 1_000),
})
const nestUnsigned = (t: transaction.UnsignedTransaction) => [
  'quorate/tx/1',
  raw(t.network),
  raw(t.sender),
  t.nonce,
  t.expires,
  t.gasLimit,
  t.contract,
  t.method,
  t.args,
]

function makeTransaction(s: Source): transaction.Transaction {
  const fields = makeUnsigned(s)
  const unsigned = encode(transaction.unsignedTransactionCodec, fields)
  const signature = s.bytes(64, 64)
  return { ...fields, wire: transaction.encodeTransaction(unsigned, signature), unsigned, signature }
}

const wireFormat: Format = {
  name: 'transaction',
  make: makeTransaction,
  encode(value) {
    const { unsigned, signature } = value as transaction.Transaction
    return transaction.encodeTransaction(unsigned, signature)
  },
  decode: transaction.decodeTransaction,
  nested(value) {
    const { unsigned, signature } = value as transaction.Transaction
    return [unsigned, signature]
  },
}

// Batches, headers, receipts, certificates

export const makeBatch = (s: Source): block.Batch => ({
  view: s.uint(),
  proposer: s.hash(),
  time: s.uint(),
  txs: s.list(() => s.bytes(1, 100)),
})
export const nestBatch = (b: block.Batch) => ['quorate/batch/1', b.view, raw(b.proposer), b.time, b.txs]

export const makeHeader = (s: Source): block.Header => ({
  genesisHash: s.hash(),
  epoch: s.uint(),
  height: s.uint(),
  parentHash: s.hash(),
  batchDigest: s.hash(),
  txRoot: s.hash(),
  receiptsRoot: s.hash(),
  stateRoot: s.hash(),
  time: s.uint(),
  proposer: s.hash(),
  validatorsHash: s.hash(),
  nextValidatorsHash: s.hash(),
  epochEnd: s.uint(),
  proposers: s.bytes(0, 4_096),
})
export const nestHeader = (h: block.Header) => [
  'quorate/header/1',
  raw(h.genesisHash),
  h.epoch,
  h.height,
  raw(h.parentHash),
  raw(h.batchDigest),
  raw(h.txRoot),
  raw(h.receiptsRoot),
  raw(h.stateRoot),
  h.time,
  raw(h.proposer),
  raw(h.validatorsHash),
  raw(h.nextValidatorsHash),
  h.epochEnd,
  h.proposers,
]

export const makeReceipt = (s: Source): block.Receipt => ({
  txId: s.hash(),
  sender: s.hash(),
  nonce: s.uint(),
  status: s.pick('ok', 'reverted', 'skipped'),
  code: s.text(64),
  message: s.text(1_024),
  gasUsed: s.uint(),
  result: s.bytes(0, 1_000),
  events: s.list(() => ({ contract: s.text(40), name: s.text(64), data: s.bytes(0, 1_000) })),
})
export const nestReceipt = (r: block.Receipt) => [
  'quorate/receipt/1',
  raw(r.txId),
  raw(r.sender),
  r.nonce,
  r.status,
  r.code,
  r.message,
  r.gasUsed,
  r.result,
  r.events.map((event) => [event.contract, event.name, event.data]),
]

export const makeCertificate = (s: Source): block.Certificate => ({
  height: s.uint(),
  blockHash: s.hash(),
  signatures: s.list(() => ({ signer: s.uint(100), signature: s.bytes(64, 64) })),
})
export const nestCertificate = (c: block.Certificate) => [
  'quorate/certificate/1',
  c.height,
  raw(c.blockHash),
  c.signatures.map(({ signer, signature }) => [signer, signature]),
]

// Epochs and genesis

const makeValidator = (s: Source): epoch.Validator => ({ name: s.text(64), key: s.hash(), log: s.hash() })
const nestValidator = (v: epoch.Validator) => [v.name, raw(v.key), raw(v.log)]

const makeParameters = (s: Source): epoch.Parameters => ({
  blockTransactionsMax: s.uint(),
  blockBytesMax: s.uint(),
  blockGasMax: s.uint(),
  transactionGasMax: s.uint(),
  batchDelayMs: s.uint(),
  progressTimeoutMs: s.uint(),
  timeoutMaxMs: s.uint(),
  timePastMs: s.uint(),
  timeAheadMs: s.uint(),
  heartbeatMs: s.uint(),
  windowBlocks: s.uint(),
  inFlightBlocks: s.uint(),
  snapshotIntervalBlocks: s.uint(),
  deploy: s.text(80),
  transact: s.text(80),
})
const nestParameters = (p: epoch.Parameters) => [
  p.blockTransactionsMax,
  p.blockBytesMax,
  p.blockGasMax,
  p.transactionGasMax,
  p.batchDelayMs,
  p.progressTimeoutMs,
  p.timeoutMaxMs,
  p.timePastMs,
  p.timeAheadMs,
  p.heartbeatMs,
  p.windowBlocks,
  p.inFlightBlocks,
  p.snapshotIntervalBlocks,
  p.deploy,
  p.transact,
]

const makeEpoch = (s: Source): epoch.EpochRecord => ({
  epoch: s.uint(),
  start: s.uint(),
  validators: s.list(() => makeValidator(s)),
  parameters: makeParameters(s),
  proposers: s.bytes(0, 4_096),
})
const nestEpoch = (e: epoch.EpochRecord) => [
  'quorate/epoch/1',
  e.epoch,
  e.start,
  e.validators.map(nestValidator),
  nestParameters(e.parameters),
  e.proposers,
]

const makeGenesis = (s: Source): epoch.Genesis => ({
  chainId: s.text(64),
  protocolVersion: s.uint(),
  engineHash: s.hash(),
  time: s.uint(),
  validators: s.list(() => makeValidator(s)),
  parameters: makeParameters(s),
  roles: s.list(() => ({ role: s.text(64), accounts: s.list(() => s.text(80)) })),
  contracts: s.list(() => ({ name: s.text(40), code: s.text(1_000), init: s.text(1_000), owner: s.text(80) })),
})
const nestGenesis = (g: epoch.Genesis) => [
  'quorate/genesis/1',
  g.chainId,
  g.protocolVersion,
  raw(g.engineHash),
  g.time,
  g.validators.map(nestValidator),
  nestParameters(g.parameters),
  g.roles.map(({ role, accounts }) => [role, accounts]),
  g.contracts.map(({ name, code, init, owner }) => [name, code, init, owner]),
]

export const blockFormats: Format[] = [
  format('unsigned transaction', transaction.unsignedTransactionCodec, makeUnsigned, nestUnsigned),
  wireFormat,
  format('batch', block.batchCodec, makeBatch, nestBatch),
  format('header', block.headerCodec, makeHeader, nestHeader),
  format('receipt', block.receiptCodec, makeReceipt, nestReceipt),
  format('certificate', block.certificateCodec, makeCertificate, nestCertificate),
  format('epoch record', epoch.epochRecordCodec, makeEpoch, nestEpoch),
  format('genesis', epoch.genesisCodec, makeGenesis, nestGenesis),
]
