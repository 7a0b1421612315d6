// Evidence: what one validator signed and no correct one signs, in the bytes that were signed, so that anyone can check it later
// (docs/protocol.md, rules 33 and 34).
import { VALIDATORS_MAX } from './epoch.ts'
import type { NewView, ViewChange } from './message.ts'
import { newViewCodec, type Signed, signedVoteCodec, viewChangeCodec } from './message.ts'
import { bytes, type Codec, DecodeError, decode, encode, oneOf, struct, uint, type ValueOf } from './schema.ts'

export type Accusation =
  | { kind: 'proposal'; first: Signed<'pre-prepare'>; second: Signed<'pre-prepare'> }
  | { kind: 'prepare'; first: Signed<'prepare'>; second: Signed<'prepare'> }
  | { kind: 'commit'; first: Signed<'commit'>; second: Signed<'commit'> }
  | { kind: 'exec'; first: Signed<'exec'>; second: Signed<'exec'> }
  | { kind: 'view-change'; first: Signed<'view-change'>; second: Signed<'view-change'> }
  /** A COMMIT, and a VIEW-CHANGE that does not show what it rested on. */
  | { kind: 'amnesia'; first: Signed<'commit'>; second: ViewChange }
  /** A NEW-VIEW that breaks the rules all by itself. */
  | { kind: 'new-view'; first: NewView; second: null }
export type EvidenceKind = Accusation['kind']
export const evidenceKinds = ['proposal', 'prepare', 'commit', 'exec', 'view-change', 'amnesia', 'new-view'] as const

const partCodecs: Record<EvidenceKind, [first: unknown, second: unknown]> = {
  proposal: [signedVoteCodec('pre-prepare'), signedVoteCodec('pre-prepare')],
  prepare: [signedVoteCodec('prepare'), signedVoteCodec('prepare')],
  commit: [signedVoteCodec('commit'), signedVoteCodec('commit')],
  exec: [signedVoteCodec('exec'), signedVoteCodec('exec')],
  'view-change': [signedVoteCodec('view-change'), signedVoteCodec('view-change')],
  amnesia: [signedVoteCodec('commit'), viewChangeCodec],
  'new-view': [newViewCodec, undefined],
}

const codecsOf = (kind: EvidenceKind) => partCodecs[kind] as [Codec<unknown>, Codec<unknown> | undefined]

/** A message longer than this is not kept: with 100 validators a NEW-VIEW can have megabytes. */
const PART_BYTES_MAX = 256 * 1024

/** `view` and `height` are those of the slot; 0 where there is none. `second` is empty where the first says it all. */
export const evidenceCodec = struct('quorate/evidence/1', {
  validator: uint(VALIDATORS_MAX),
  kind: oneOf(...evidenceKinds),
  epoch: uint(),
  view: uint(),
  height: uint(),
  first: bytes(1, PART_BYTES_MAX),
  second: bytes(0, PART_BYTES_MAX),
  /** When this node saw it, in ms since 1970, by its own clock. */
  seenAt: uint(),
})
export type Evidence = ValueOf<typeof evidenceCodec>

/** The accusation's entry, or undefined where its messages are too long to be kept. */
export function evidenceOf(accusation: Accusation, seenAt: number): Evidence | undefined {
  const { kind } = accusation
  const [firstCodec, secondCodec] = codecsOf(kind)
  const first = encode(firstCodec, accusation.first)
  const second = secondCodec === undefined ? new Uint8Array() : encode(secondCodec, accusation.second)
  if (Math.max(first.length, second.length) > PART_BYTES_MAX) return undefined
  return { kind, ...placeOf(accusation), first, second, seenAt }
}

/** Reads the messages back. Throws DecodeError on bytes that are none. */
export function accusationOf({ kind, first, second }: Pick<Evidence, 'kind' | 'first' | 'second'>): Accusation {
  const [firstCodec, secondCodec] = codecsOf(kind)
  if (secondCodec === undefined && second.length > 0) throw new DecodeError('expected one message, got another', 0)
  const parts = {
    kind,
    first: decode(firstCodec, first),
    second: secondCodec === undefined ? null : decode(secondCodec, second),
  }
  return parts as Accusation
}

/** Whom it accuses, and of which slot. */
export function placeOf(accusation: Accusation): Pick<Evidence, 'validator' | 'epoch' | 'view' | 'height'> {
  const { signer: validator, body } = accusation.kind === 'new-view' ? accusation.first.vote : accusation.first
  const { epoch } = body
  if ('blockHash' in body) return { validator, epoch, view: 0, height: body.height }
  if ('newView' in body) return { validator, epoch, view: body.newView, height: 0 }
  return { validator, epoch, view: body.view, height: 'seq' in body ? body.seq : 0 }
}
