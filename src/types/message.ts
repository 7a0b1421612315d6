// Consensus messages: the bytes a validator signs, and the frames that carry them.
//
// Signed bytes are [tag, genesisHash, epoch, validatorsHash, …fields] with one tag per message type, so a vote of one type, network
// or epoch can never be read as another (docs/protocol.md, "Identities").
import { certificateCodec, headerCodec } from './block.ts'
import { VALIDATORS_MAX } from './epoch.ts'
import { bytes, decode, encode, flag, hex, list, optional, struct, uint, union, type ValueOf } from './schema.ts'

const domain = { genesisHash: hex(32), epoch: uint(), validatorsHash: hex(32) }
const slot = { view: uint(), seq: uint(), digest: hex(32) }

/** What is signed, by message type. `digest` is the batch's digest, `blockHash` the header's. */
export const bodyCodecs = {
  'pre-prepare': struct('quorate/pre-prepare/1', { ...domain, ...slot }),
  prepare: struct('quorate/prepare/1', { ...domain, ...slot }),
  commit: struct('quorate/commit/1', { ...domain, ...slot }),
  exec: struct('quorate/exec/1', { ...domain, height: uint(), blockHash: hex(32) }),
  suspect: struct('quorate/suspect/1', { ...domain, view: uint() }),
  'view-change': struct('quorate/view-change/1', {
    ...domain,
    newView: uint(),
    h: uint(),
    certificateHash: hex(32),
    preparedHash: hex(32),
  }),
  'new-view': struct('quorate/new-view/1', { ...domain, view: uint(), viewChangesHash: hex(32) }),
}
export type BodyType = keyof typeof bodyCodecs
export type Body<T extends BodyType> = ValueOf<(typeof bodyCodecs)[T]>

/** A signature beside the bytes it covers; `signer` says which validator's key to try and counts only once that key verified. */
export interface Signed<T extends BodyType> {
  type: T
  body: Body<T>
  signer: number
  signature: Uint8Array
}
export type AnySigned = { [T in BodyType]: Signed<T> }[BodyType]

export function signedBytes<T extends BodyType>(type: T, body: Body<T>): Uint8Array {
  return encode(bodyCodecs[type] as never, body as never)
}

/** Carries the body's own bytes, so that what was signed is what is checked. */
export function signedVoteCodec<T extends BodyType>(type: T) {
  const wire = struct('', { body: bytes(1, 512), signer: uint(VALIDATORS_MAX), signature: bytes(64) })
  return {
    write: (writer: Parameters<typeof wire.write>[0], value: Signed<T>) =>
      wire.write(writer, { ...value, body: signedBytes(type, value.body) }),
    read(reader: Parameters<typeof wire.read>[0]): Signed<T> {
      const { body, signer, signature } = wire.read(reader)
      return { type, body: decode(bodyCodecs[type] as never, body) as Body<T>, signer, signature }
    },
  }
}
const signed = {
  'pre-prepare': signedVoteCodec('pre-prepare'),
  prepare: signedVoteCodec('prepare'),
  commit: signedVoteCodec('commit'),
  exec: signedVoteCodec('exec'),
  suspect: signedVoteCodec('suspect'),
  'view-change': signedVoteCodec('view-change'),
  'new-view': signedVoteCodec('new-view'),
}

/** A prepared certificate: q PREPARE signatures over identical bytes. */
export const preparedCodec = struct('', {
  ...slot,
  signatures: list(struct('', { signer: uint(VALIDATORS_MAX), signature: bytes(64) }), VALIDATORS_MAX),
})
export type Prepared = ValueOf<typeof preparedCodec>

type Domain = Pick<Body<'prepare'>, 'genesisHash' | 'epoch' | 'validatorsHash'>

/** The PREPAREs that a prepared certificate stands for, in the domain of whoever shows it. */
export function preparesOf({ view, seq, digest, signatures }: Prepared, domain: Domain): Signed<'prepare'>[] {
  const { genesisHash, epoch, validatorsHash } = domain
  const body = { genesisHash, epoch, validatorsHash, view, seq, digest }
  return signatures.map(({ signer, signature }) => ({ type: 'prepare', body, signer, signature }))
}

/** `header` and `certificate` are cert_h, absent at height 0; `prepared` is P. */
export const viewChangeCodec = struct('', {
  vote: signed['view-change'],
  header: optional(headerCodec),
  certificate: optional(certificateCodec),
  prepared: list(preparedCodec, 1024),
})
export type ViewChange = ValueOf<typeof viewChangeCodec>

/** `viewChanges` is V; the re-proposals are recomputed from it by everyone. */
export const newViewCodec = struct('', { vote: signed['new-view'], viewChanges: list(viewChangeCodec, VALIDATORS_MAX) })
export type NewView = ValueOf<typeof newViewCodec>

const SIGNER_BYTES_MAX = 69
const PREPARED_BYTES_MAX = 56
/** A vote, a header with its longest `proposers`, and a certificate without its signatures. */
const VIEW_CHANGE_BYTES_MAX = 5_500

/** What a NEW-VIEW can grow to: a quorum's VIEW-CHANGEs, each with a prepared certificate for every height of the window. */
export function newViewBytesMax(quorum: number, windowBlocks: number): number {
  const signatures = quorum * SIGNER_BYTES_MAX
  return 512 + quorum * (VIEW_CHANGE_BYTES_MAX + signatures + windowBlocks * (PREPARED_BYTES_MAX + signatures))
}

const BATCH_BYTES_MAX = 16 * 1024 * 1024

/** The primary's proposal: its PRE-PREPARE, its own PREPARE, and the batch's bytes beside them. */
export const proposalCodec = struct('', {
  prePrepare: signed['pre-prepare'],
  prepare: signed.prepare,
  batch: bytes(1, BATCH_BYTES_MAX),
})
export type Proposal = ValueOf<typeof proposalCodec>

/** Asks for a batch by its digest; whoever has it sends it. Unsigned: the answer proves itself. */
export const bodyRequestCodec = struct('', { digest: hex(32) })
export const bodyCodec = struct('', { batch: bytes(1, BATCH_BYTES_MAX) })

/** A hint about where its sender is, unsigned: it is answered with data that proves itself. Observers send it too. */
export const statusCodec = struct('', { epoch: uint(), view: uint(), active: flag, h: uint(), lastExec: uint() })
export type Status = ValueOf<typeof statusCodec>

/** What travels between nodes on the consensus and proposal streams. */
export const messageCodec = union({
  proposal: proposalCodec,
  prepare: struct('', { vote: signed.prepare }),
  commit: struct('', { vote: signed.commit }),
  exec: struct('', { vote: signed.exec }),
  suspect: struct('', { vote: signed.suspect }),
  'view-change': struct('', { change: viewChangeCodec }),
  'new-view': struct('', { newView: newViewCodec }),
  status: statusCodec,
  'body-request': bodyRequestCodec,
  body: bodyCodec,
})
export type Message = ValueOf<typeof messageCodec>

/** Every signature a message carries: what the network's edge verifies before the core sees any of it. */
export function signaturesOf(message: Message): AnySigned[] {
  switch (message.type) {
    case 'proposal':
      return [message.prePrepare, message.prepare]
    case 'prepare':
    case 'commit':
    case 'exec':
    case 'suspect':
      return [message.vote]
    case 'view-change':
      return viewChangeSignatures(message.change)
    case 'new-view':
      return [message.newView.vote, ...message.newView.viewChanges.flatMap(viewChangeSignatures)]
    case 'status':
    case 'body-request':
    case 'body':
      return []
  }
}

function viewChangeSignatures(change: ViewChange): AnySigned[] {
  return [change.vote, ...change.prepared.flatMap((prepared) => preparesOf(prepared, change.vote.body))]
}
