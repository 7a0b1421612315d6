// From one epoch to the next: the last header of an epoch, certified by that epoch's validators, commits to the record of the next
// (docs/proofs.md, "Epochs").
import { epochHash } from '../crypto/digest.ts'
import { verifyReference } from '../crypto/ed25519.ts'
import { epochRecordCodec } from '../types/epoch.ts'
import { decode } from '../types/schema.ts'
import { type TrustedEpoch, trustRecord } from './genesis.ts'
import { readHeader, type VerifySignature, verifyHeader } from './header.ts'
import { attempt, refuse, requireBytes, requireObject } from './read.ts'

/** One entry of `GET /v1/epochs` and of a bundle; none of it is trusted. */
export interface EpochLink {
  /** Of the boundary: its height is its own `epochEnd`. */
  header: unknown
  certificate: unknown
  /** The next epoch's record, canonical bytes in base64. */
  record: unknown
}

/** The epoch after the trusted one. Throws ClientError `BAD_PROOF`. */
export function followEpoch(
  trust: TrustedEpoch,
  link: unknown,
  verify: VerifySignature = verifyReference,
): TrustedEpoch {
  const given = requireObject(link, `the link from epoch ${trust.epoch} to the next`)
  const { header } = verifyHeader(readHeader(given.header), given.certificate, trust, verify)
  if (header.height !== header.epochEnd) {
    refuse(
      `block ${header.height} is not the last of epoch ${trust.epoch}, its header says that ${header.epochEnd || 'none'} is`,
    )
  }
  const bytes = requireBytes(given.record, 'the record of the next epoch')
  const record = attempt('the record of the next epoch is not canonical', () => decode(epochRecordCodec, bytes))
  if (epochHash(record) !== header.nextValidatorsHash) {
    refuse(`the record of the next epoch is not the one that block ${header.height} commits to`)
  }
  if (record.epoch !== trust.epoch + 1) refuse(`epoch ${record.epoch} does not follow on epoch ${trust.epoch}`)
  if (record.start !== header.height) {
    refuse(`epoch ${record.epoch} begins after block ${record.start}, its boundary is block ${header.height}`)
  }
  return trustRecord(trust, record)
}
