// Proof bundles: one JSON file that holds all it takes to check a transaction, a value or a range of events, offline, from the genesis
// hash alone (docs/proofs.md, "Bundles").
import { blockHash, firstEpoch } from '../crypto/digest.ts'
import { verifyReference } from '../crypto/ed25519.ts'
import { sha256 } from '../crypto/hash.ts'
import type { Header } from '../types/block.ts'
import { genesisCodec } from '../types/epoch.ts'
import { toHex } from '../types/hex.ts'
import { decode } from '../types/schema.ts'
import { type EpochLink, followEpoch } from './epochs.ts'
import { ClientError } from './error.ts'
import { type ProvenRange, verifyEventRange } from './events.ts'
import { type TrustedEpoch, trustRecord } from './genesis.ts'
import { readHeader, type VerifySignature } from './header.ts'
import { type BundleKind, bundleKinds, provenMembers, requireNothingElse } from './members.ts'
import {
  attempt,
  type Json,
  refuse,
  requireBytes,
  requireList,
  requireObject,
  requireSame,
  requireText,
  shown,
} from './read.ts'
import { type ProvenState, verifyState } from './state.ts'
import { type ProvenTransaction, verifyTransaction } from './transaction.ts'

export type { BundleKind } from './members.ts'

export const BUNDLE_FORMAT = 'quorate/proof/1'

/** Each epoch has a boundary of its own in a bundle. */
const EPOCHS_MAX = 10_000

export interface ProofBundle {
  format: typeof BUNDLE_FORMAT
  kind: BundleKind
  genesisHash: string
  /** Canonical bytes in base64. */
  genesis: string
  /** From the first epoch's end to the beginning of the document's epoch. */
  epochs: EpochLink[]
  /** As the HTTP API answers, without what no proof shows (`documentOf`). */
  document: unknown
}

/** What is believed already: the network's identity, or a header that was verified earlier, as JSON. */
export type Trusted =
  | { genesisHash: string; header?: undefined }
  | { header: unknown; genesisHash?: string | undefined }

export type Proven = { trust: TrustedEpoch } & (
  | ({ kind: 'transaction' } & ProvenTransaction)
  | ({ kind: 'state' } & ProvenState)
  | ({ kind: 'events' } & ProvenRange)
)

/**
 * Checks a bundle; what it proves is read from the proven bytes alone. Throws ClientError: `BAD_PROOF`, or `WRONG_NETWORK`. Throws
 * TypeError where nothing is trusted: whoever made the bundle could then have made its network as well.
 */
export function verifyBundle(bundle: unknown, trusted: Trusted, verify: VerifySignature = verifyReference): Proven {
  if (trusted?.genesisHash === undefined && trusted?.header === undefined) {
    throw new TypeError('nothing is trusted: give { genesisHash }, as the network’s makers published it, or { header }')
  }
  const given = requireObject(bundle, 'the bundle')
  requireSame('format', given.format, BUNDLE_FORMAT)
  const kind = requireKind(given.kind)
  requireNothingElse(given, kind)
  const anchor = trusted.header === undefined ? undefined : readHeader(trusted.header, 'the trusted header')
  let trust = readGenesisBytes(given, [trusted.genesisHash, anchor?.genesisHash])
  requireAnchor(trust, anchor)
  for (const link of requireList(given.epochs, 'epochs', EPOCHS_MAX)) {
    trust = followEpoch(trust, link, verify)
    requireAnchor(trust, anchor, link)
  }
  if (anchor !== undefined && anchor.epoch > trust.epoch) {
    refuse(
      `it ends in epoch ${trust.epoch}, before epoch ${anchor.epoch} of the trusted header: verify it with the genesis hash`,
    )
  }
  const proven = verifyDocument(kind, given.document, trust, verify)
  requireOwnWords(given.document as Json, proven)
  if (anchor !== undefined) requireSameBlock(proven, anchor)
  return proven
}

/** Checks a document by itself, in an epoch that is trusted already; its kind is told by its members unless given. */
export function verifyDocument(
  kind: unknown,
  document: unknown,
  trust: TrustedEpoch,
  verify: VerifySignature = verifyReference,
): Proven {
  const known = requireKind(kind)
  switch (known) {
    case 'transaction':
      return { kind: known, trust, ...verifyTransaction(document, idOf(document), trust, verify) }
    case 'state':
      return { kind: known, trust, ...verifyState(document, undefined, trust, verify) }
    case 'events':
      return { kind: known, trust, ...verifyEventRange(document, undefined, trust, verify) }
  }
}

/** The kind of a document that stands by itself; undefined for anything else. */
export function kindOf(document: unknown): BundleKind | undefined {
  const { proof, blocks } = (typeof document === 'object' && document !== null ? document : {}) as Json
  if (Array.isArray(blocks)) return 'events'
  if (typeof proof !== 'object' || proof === null) return undefined
  return 'siblings' in proof ? 'state' : 'transaction'
}

/** A verified document as a bundle carries it: what no proof shows, such as a server's own words, is left out. */
export function documentOf(document: unknown, proven: Proven): unknown {
  const kept = provenMembers(document, proven.kind)
  if (proven.kind === 'state' && proven.value === undefined) return { ...kept, value: null }
  if (proven.kind === 'transaction' && kept.error !== null) {
    return { ...kept, error: { code: proven.receipt.code, message: proven.receipt.message } }
  }
  return kept
}

/** A server's document may leave a value out and explain a code in its own words, a bundle's may not. */
function requireOwnWords(document: Json, proven: Proven): void {
  if (proven.kind === 'state' && document.value === undefined) refuse('value is missing')
  if (proven.kind !== 'transaction' || document.error === null) return
  requireSame('error.message', (document.error as Json).message, proven.receipt.message)
}

function requireKind(kind: unknown): BundleKind {
  const known = bundleKinds.find((one) => one === kind)
  return known ?? refuse(`kind says ${shown(kind)}, expected ${bundleKinds.join(', ')}`)
}

function readGenesisBytes({ genesisHash, genesis: text }: Json, expected: (string | undefined)[]): TrustedEpoch {
  for (const hash of expected) {
    if (hash === undefined || genesisHash === hash) continue
    throw new ClientError(
      'WRONG_NETWORK',
      `the bundle is of network ${shown(genesisHash)}, expected ${shown(hash)}: check which network it should be of`,
    )
  }
  const bytes = requireBytes(text, 'genesis')
  const hash = toHex(sha256(bytes))
  requireSame('genesisHash', genesisHash, hash)
  const genesis = attempt('genesis is not canonical', () => decode(genesisCodec, bytes))
  return trustRecord({ genesis, genesisHash: hash }, firstEpoch(genesis))
}

/**
 * Whoever trusts a header trusts the validators that its epoch has: an earlier set that turned bad cannot name others. Nor can its own
 * set end the epoch before it, or elsewhere than it says; `link` is what ended the epoch before `trust`.
 */
function requireAnchor(trust: TrustedEpoch, anchor: Header | undefined, link?: unknown): void {
  if (anchor?.epoch === trust.epoch && anchor.validatorsHash !== trust.validatorsHash)
    refuse(`epoch ${trust.epoch} has other validators than the trusted header says`)
  if (anchor === undefined || anchor.epoch + 1 !== trust.epoch) return
  const { height, epochEnd } = anchor
  if (trust.start < height || (epochEnd > 0 && trust.start !== epochEnd))
    refuse(`epoch ${anchor.epoch} ends with block ${trust.start}, which the trusted header contradicts`)
  if (trust.start === height && blockHash(readHeader((link as EpochLink).header)) !== blockHash(anchor))
    refuse(`its block ${height} is another one than the trusted header`)
}

/** Whoever trusts a header knows which block is at its height. */
function requireSameBlock(proven: Proven, anchor: Header): void {
  if (proven.header.epoch === anchor.epoch && anchor.epochEnd > 0 && proven.height > anchor.epochEnd)
    refuse(
      `its block ${proven.height} is in epoch ${anchor.epoch}, which the trusted header ends with ${anchor.epochEnd}`,
    )
  const blocks = proven.kind === 'events' ? proven.blocks : [proven]
  const same = blocks.find(({ header }) => header.height === anchor.height)
  if (same === undefined || same.blockHash === blockHash(anchor)) return
  refuse(`its block ${anchor.height} is another one than the trusted header`)
}

function idOf(document: unknown): string {
  return requireText(requireObject(document, 'the document').id, 'id')
}
