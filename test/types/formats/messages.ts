// Votes, the messages between validators, and the records of the consensus log.
import { type LogRecord, recordCodec } from '../../../src/consensus/record.ts'
import * as message from '../../../src/types/message.ts'
import type { Codec } from '../../../src/types/schema.ts'
import type { Source } from '../source.ts'
import { makeBatch, makeCertificate, makeHeader, nestBatch, nestCertificate, nestHeader } from './blocks.ts'
import { type Format, format, nestOptional, optional, raw } from './format.ts'

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
  header: optional(s, () => makeHeader(s)),
  certificate: optional(s, () => makeCertificate(s)),
  prepared: s.list(() => makePrepared(s)),
})
const nestViewChange = (v: message.ViewChange) => [
  nestSigned(v.vote),
  nestOptional(v.header, nestHeader),
  nestOptional(v.certificate, nestCertificate),
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

export const messageFormats: Format[] = [
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
]
