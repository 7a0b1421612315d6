// What makes a VIEW-CHANGE or a NEW-VIEW a valid one (PBFT, section 4.4): pure rules of the epoch alone.

import { certificateCodec, headerCodec } from '../types/block.ts'
import type { EpochRecord } from '../types/epoch.ts'
import { toHex } from '../types/hex.ts'
import { type NewView, preparedCodec, type ViewChange, viewChangeCodec } from '../types/message.ts'
import { encode, list, optional, struct } from '../types/schema.ts'
import { sha256 } from './hash.ts'

export interface ViewRules {
  readonly epoch: Pick<EpochRecord, 'start' | 'parameters'>
  readonly quorum: number
  /** 0: no boundary is pending. */
  readonly epochEnd: number
}

const certifiedCodec = struct('', { header: optional(headerCodec), certificate: optional(certificateCodec) })
const preparedListCodec = list(preparedCodec, 1024)
const viewChangesCodec = list(viewChangeCodec, 100)

/** H(cert_h) and H(P): what the signature of a VIEW-CHANGE covers of its contents. */
export function evidenceHashes({ header, certificate, prepared }: Omit<ViewChange, 'vote'>) {
  return {
    certificateHash: toHex(sha256(encode(certifiedCodec, { header, certificate }))),
    preparedHash: toHex(sha256(encode(preparedListCodec, prepared))),
  }
}

/** What the signature of a NEW-VIEW covers of its VIEW-CHANGEs. */
export const hashOfViewChanges = (viewChanges: ViewChange[]): string =>
  toHex(sha256(encode(viewChangesCodec, viewChanges)))

/** Its contents are what was signed, and what a correct replica could have. Every signature in it was verified before. */
export function isValidViewChange(rules: ViewRules, change: ViewChange): boolean {
  const { h, newView, certificateHash, preparedHash } = change.vote.body
  const hashes = evidenceHashes(change)
  if (hashes.certificateHash !== certificateHash || hashes.preparedHash !== preparedHash) return false
  if ((change.header?.height ?? 0) !== h || (change.certificate?.height ?? 0) !== h || h < rules.epoch.start)
    return false
  const last = h + rules.epoch.parameters.windowBlocks
  let previous = h
  for (const { seq, view, signatures } of change.prepared) {
    if (seq <= previous || seq > last || (rules.epochEnd > 0 && seq > rules.epochEnd) || view >= newView) return false
    if (new Set(signatures.map(({ signer }) => signer)).size < rules.quorum) return false
    previous = seq
  }
  return newView > 0
}

export function isValidNewView(rules: ViewRules, { vote: { body }, viewChanges }: NewView): boolean {
  const signers = new Set(viewChanges.map((change) => change.vote.signer))
  if (viewChanges.length !== rules.quorum || signers.size !== rules.quorum) return false
  if (hashOfViewChanges(viewChanges) !== body.viewChangesHash) return false
  return viewChanges.every((change) => change.vote.body.newView === body.view && isValidViewChange(rules, change))
}
