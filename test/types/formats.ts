// Every byte format there is: how a value of it is made, and the nested arrays its bytes must be, written down by hand so that the
// schemas are not their own judge.
import { type LogRecord, recordCodec } from '../../src/consensus/record.ts'
import * as block from '../../src/types/block.ts'
import * as divergence from '../../src/types/divergence.ts'
import * as epoch from '../../src/types/epoch.ts'
import * as fetch from '../../src/types/fetch.ts'
import { fromHex } from '../../src/types/hex.ts'
import * as message from '../../src/types/message.ts'
import { type Codec, decode, encode } from '../../src/types/schema.ts'
import * as transaction from '../../src/types/transaction.ts'
import type { Source } from './source.ts'

export interface Format {
  name: string
  make(source: Source): unknown
  encode(value: unknown): Uint8Array
  decode(bytes: Uint8Array): unknown
  nested(value: unknown): unknown
}

function format<T>(name: string, codec: Codec<T>, make: (source: Source) => T, nested: (value: T) => unknown): Format {
  return {
    name,
    make,
    encode: (value) => encode(codec, value as T),
    decode: (bytes) => decode(codec, bytes),
    nested: (value) => nested(value as T),
  }
}

const raw = fromHex

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

const makeBatch = (s: Source): block.Batch => ({
  view: s.uint(),
  proposer: s.hash(),
  time: s.uint(),
  txs: s.list(() => s.bytes(1, 100)),
})
const nestBatch = (b: block.Batch) => ['quorate/batch/1', b.view, raw(b.proposer), b.time, b.txs]

const makeHeader = (s: Source): block.Header => ({
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
const nestHeader = (h: block.Header) => [
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

const makeReceipt = (s: Source): block.Receipt => ({
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
const nestReceipt = (r: block.Receipt) => [
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

const makeCertificate = (s: Source): block.Certificate => ({
  height: s.uint(),
  blockHash: s.hash(),
  signatures: s.list(() => ({ signer: s.uint(100), signature: s.bytes(64, 64) })),
})
const nestCertificate = (c: block.Certificate) => [
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

// Votes

const makeDomain = (s: Source) => ({ genesisHash: s.hash(), epoch: s.uint(), validatorsHash: s.hash() })
const makeSlot = (s: Source) => ({ view: s.uint(), seq: s.uint(), digest: s.hash() })
type Domain = ReturnType<typeof makeDomain>
type SlotFields = ReturnType<typeof makeSlot>
const nestDomain = (d: Domain) => [raw(d.genesisHash), d.epoch, raw(d.validatorsHash)]
const nestSlot = (slot: SlotFields) => [slot.view, slot.seq, raw(slot.digest)]

type Bodies = { [T in message.BodyType]: { make(s: Source): message.Body<T>; rest(body: message.Body<T>): unknown[] } }
const slotBody = { make: (s: Source) => ({ ...makeDomain(s), ...makeSlot(s) }), rest: nestSlot }
export const bodies: Bodies = {
  'pre-prepare': slotBody,
  prepare: slotBody,
  commit: slotBody,
  exec: {
    make: (s) => ({ ...makeDomain(s), height: s.uint(), blockHash: s.hash() }),
    rest: (body) => [body.height, raw(body.blockHash)],
  },
  suspect: { make: (s) => ({ ...makeDomain(s), view: s.uint() }), rest: (body) => [body.view] },
  'view-change': {
    make: (s) => ({
      ...makeDomain(s),
      newView: s.uint(),
      h: s.uint(),
      certificateHash: s.hash(),
      preparedHash: s.hash(),
    }),
    rest: (body) => [body.newView, body.h, raw(body.certificateHash), raw(body.preparedHash)],
  },
  'new-view': {
    make: (s) => ({ ...makeDomain(s), view: s.uint(), viewChangesHash: s.hash() }),
    rest: (body) => [body.view, raw(body.viewChangesHash)],
  },
}
export const bodyTypes = Object.keys(bodies) as message.BodyType[]

const nestBody = <T extends message.BodyType>(type: T, body: message.Body<T>) => [
  `quorate/${type}/1`,
  ...nestDomain(body),
  ...bodies[type].rest(body),
]
const makeSigned = <T extends message.BodyType>(type: T, s: Source): message.Signed<T> => ({
  type,
  body: bodies[type].make(s),
  signer: s.uint(100),
  signature: s.bytes(64, 64),
})
const nestSigned = <T extends message.BodyType>(vote: message.Signed<T>) => [
  message.signedBytes(vote.type, vote.body),
  vote.signer,
  vote.signature,
]

const bodyFormats = bodyTypes.map((type) =>
  format(
    `body ${type}`,
    message.bodyCodecs[type] as Codec<never>,
    (s) => bodies[type].make(s) as never,
    (body) => nestBody(type, body),
  ),
)
const signedFormats = bodyTypes.map((type) =>
  format(
    `signed ${type}`,
    message.signedVoteCodec(type) as Codec<message.Signed<typeof type>>,
    (s) => makeSigned(type, s),
    nestSigned,
  ),
)

const makePrepared = (s: Source): message.Prepared => ({
  ...makeSlot(s),
  signatures: s.list(() => ({ signer: s.uint(100), signature: s.bytes(64, 64) })),
})
const nestPrepared = (p: message.Prepared) => [
  ...nestSlot(p),
  p.signatures.map(({ signer, signature }) => [signer, signature]),
]

const makeViewChange = (s: Source): message.ViewChange => ({
  vote: makeSigned('view-change', s),
  header: s.flag() ? makeHeader(s) : null,
  certificate: s.flag() ? makeCertificate(s) : null,
  prepared: s.list(() => makePrepared(s)),
})
const nestViewChange = (v: message.ViewChange) => [
  nestSigned(v.vote),
  v.header === null ? [] : [nestHeader(v.header)],
  v.certificate === null ? [] : [nestCertificate(v.certificate)],
  v.prepared.map(nestPrepared),
]

const makeNewView = (s: Source): message.NewView => ({
  vote: makeSigned('new-view', s),
  viewChanges: s.list(() => makeViewChange(s)),
})
const nestNewView = (v: message.NewView) => [nestSigned(v.vote), v.viewChanges.map(nestViewChange)]

const makeProposal = (s: Source): message.Proposal => ({
  prePrepare: makeSigned('pre-prepare', s),
  prepare: makeSigned('prepare', s),
  batch: s.bytes(1, 100),
})
const nestProposal = (p: message.Proposal) => [nestSigned(p.prePrepare), nestSigned(p.prepare), p.batch]

const makeStatus = (s: Source): message.Status => ({
  epoch: s.uint(),
  view: s.uint(),
  active: s.flag(),
  h: s.uint(),
  lastExec: s.uint(),
})

// Messages and log records: [name, fields]

type MessageOf<T> = Extract<message.Message, { type: T }>
const messageFormat = <T extends message.Message['type']>(
  type: T,
  make: (s: Source) => Omit<MessageOf<T>, 'type'>,
  nested: (value: MessageOf<T>) => unknown[],
) =>
  format(
    `message ${type}`,
    message.messageCodec as Codec<MessageOf<T>>,
    (s) => ({ type, ...make(s) }) as MessageOf<T>,
    (value) => [type, nested(value)],
  )

type RecordOf<T> = Extract<LogRecord, { type: T }>
const recordFormat = <T extends LogRecord['type']>(
  type: T,
  make: (s: Source) => Omit<RecordOf<T>, 'type' | 'genesisHash' | 'epoch'>,
  nested: (value: RecordOf<T>) => unknown[],
) =>
  format(
    `record ${type}`,
    recordCodec as Codec<RecordOf<T>>,
    (s) => ({ type, genesisHash: s.hash(), epoch: s.uint(), ...make(s) }) as RecordOf<T>,
    (value) => [type, [raw(value.genesisHash), value.epoch, ...nested(value)]],
  )

// Fetching

const makeCertified = (s: Source): fetch.CertifiedBlock => ({
  header: makeHeader(s),
  certificate: makeCertificate(s),
  batch: s.bytes(1, 100),
})
const nestCertified = (b: fetch.CertifiedBlock) => [nestHeader(b.header), nestCertificate(b.certificate), b.batch]

// Divergence

const optional = <T>(s: Source, make: () => T): T | null => (s.flag() ? make() : null)
const nestOptional = <T>(value: T | null, nest: (value: T) => unknown) => (value === null ? [] : [nest(value)])

const makeDifference = (s: Source): divergence.Difference => ({
  height: s.uint(),
  ours: s.hash(),
  theirs: s.hash(),
  fields: s.list(() => s.text(512)),
  transaction: optional(s, () => ({ index: s.uint(), id: s.hash(), contract: s.text(512), method: s.text(512) })),
  isProven: s.flag(),
  receipt: s.list(() => s.text(2_048)),
  key: optional(s, () => ({
    contract: s.text(512),
    key: s.text(512),
    ours: optional(s, () => s.text(512)),
    theirs: optional(s, () => s.text(512)),
  })),
  confirmedBy: s.list(() => s.text(512)),
  answered: s.uint(),
  note: s.text(1_024),
})
const nestDifference = (d: divergence.Difference) => [
  d.height,
  raw(d.ours),
  raw(d.theirs),
  d.fields,
  nestOptional(d.transaction, ({ index, id, contract, method }) => [index, raw(id), contract, method]),
  d.isProven ? 1 : 0,
  d.receipt,
  nestOptional(d.key, ({ contract, key, ours, theirs }) => [
    contract,
    key,
    nestOptional(ours, (value) => value),
    nestOptional(theirs, (value) => value),
  ]),
  d.confirmedBy,
  d.answered,
  d.note,
]

export const formats: Format[] = [
  format('unsigned transaction', transaction.unsignedTransactionCodec, makeUnsigned, nestUnsigned),
  wireFormat,
  format('batch', block.batchCodec, makeBatch, nestBatch),
  format('header', block.headerCodec, makeHeader, nestHeader),
  format('receipt', block.receiptCodec, makeReceipt, nestReceipt),
  format('certificate', block.certificateCodec, makeCertificate, nestCertificate),
  format('epoch record', epoch.epochRecordCodec, makeEpoch, nestEpoch),
  format('genesis', epoch.genesisCodec, makeGenesis, nestGenesis),
  ...bodyFormats,
  ...signedFormats,
  format('prepared', message.preparedCodec, makePrepared, nestPrepared),
  messageFormat('proposal', makeProposal, nestProposal),
  messageFormat(
    'prepare',
    (s) => ({ vote: makeSigned('prepare', s) }),
    ({ vote }) => [nestSigned(vote)],
  ),
  messageFormat(
    'commit',
    (s) => ({ vote: makeSigned('commit', s) }),
    ({ vote }) => [nestSigned(vote)],
  ),
  messageFormat(
    'exec',
    (s) => ({ vote: makeSigned('exec', s) }),
    ({ vote }) => [nestSigned(vote)],
  ),
  messageFormat(
    'suspect',
    (s) => ({ vote: makeSigned('suspect', s) }),
    ({ vote }) => [nestSigned(vote)],
  ),
  messageFormat(
    'view-change',
    (s) => ({ change: makeViewChange(s) }),
    ({ change }) => [nestViewChange(change)],
  ),
  messageFormat(
    'new-view',
    (s) => ({ newView: makeNewView(s) }),
    ({ newView }) => [nestNewView(newView)],
  ),
  messageFormat('status', makeStatus, (s) => [s.epoch, s.view, s.active ? 1 : 0, s.h, s.lastExec]),
  messageFormat(
    'body-request',
    (s) => ({ digest: s.hash() }),
    ({ digest }) => [raw(digest)],
  ),
  messageFormat(
    'body',
    (s) => ({ batch: s.bytes(1, 100) }),
    ({ batch }) => [batch],
  ),
  recordFormat(
    'proposal',
    (s) => ({ proposal: makeProposal(s) }),
    ({ proposal }) => [nestProposal(proposal)],
  ),
  recordFormat(
    'prepare',
    (s) => ({ vote: makeSigned('prepare', s) }),
    ({ vote }) => [nestSigned(vote)],
  ),
  recordFormat(
    'body',
    (s) => ({ seq: s.uint(), batch: makeBatch(s) }),
    ({ seq, batch }) => [seq, nestBatch(batch)],
  ),
  recordFormat(
    'prepared',
    (s) => ({ prepared: makePrepared(s) }),
    ({ prepared }) => [nestPrepared(prepared)],
  ),
  recordFormat(
    'commit',
    (s) => ({ vote: makeSigned('commit', s) }),
    ({ vote }) => [nestSigned(vote)],
  ),
  recordFormat(
    'view-change',
    (s) => ({ change: makeViewChange(s) }),
    ({ change }) => [nestViewChange(change)],
  ),
  recordFormat(
    'new-view',
    (s) => ({ newView: makeNewView(s) }),
    ({ newView }) => [nestNewView(newView)],
  ),
  recordFormat(
    'floor',
    (s) => ({ height: s.uint() }),
    ({ height }) => [height],
  ),
  format(
    'block request',
    fetch.blockRequestCodec,
    (s) => ({ from: s.uint(), limit: s.uint(256) }),
    ({ from, limit }) => ['quorate/blocks/1', from, limit],
  ),
  format(
    'block answer',
    fetch.blockAnswerCodec,
    (s) => s.list(() => makeCertified(s)),
    (blocks) => blocks.map(nestCertified),
  ),
  format(
    'effects request',
    divergence.effectsRequestCodec,
    (s) => ({ height: s.uint() }),
    ({ height }) => ['quorate/effects/1', height],
  ),
  format(
    'effects answer',
    divergence.effectsAnswerCodec,
    (s) => ({ header: makeHeader(s), receipts: s.bytes(0, 64), writes: s.bytes(0, 64) }),
    ({ header, receipts, writes }) => [nestHeader(header), receipts, writes],
  ),
  format(
    'effect request',
    divergence.effectRequestCodec,
    (s) => ({ height: s.uint(), index: s.uint() }),
    ({ height, index }) => ['quorate/effect/1', height, index],
  ),
  format(
    'effect answer',
    divergence.effectAnswerCodec,
    (s) => ({
      receipt: s.bytes(1, 100),
      writes: s.list(() => ({ key: s.text(4_096), value: optional(s, () => s.text(100)) })),
    }),
    ({ receipt, writes }) => [receipt, writes.map(({ key, value }) => [key, nestOptional(value, (text) => text)])],
  ),
  format(
    'divergence',
    divergence.divergenceCodec,
    (s) => ({ certificate: makeCertificate(s), ours: s.hash(), difference: optional(s, () => makeDifference(s)) }),
    ({ certificate, ours, difference }) => [
      'quorate/divergence/1',
      nestCertificate(certificate),
      raw(ours),
      nestOptional(difference, nestDifference),
    ],
  ),
  format(
    'transactions frame',
    fetch.transactionsFrameCodec,
    (s) => s.list(() => s.bytes(1, 100)),
    (wires) => wires,
  ),
]
