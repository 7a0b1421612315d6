// Proof bundles out of what nodes answer: everything is checked before it goes into one, so a bundle that is handed on holds.

import { toBase64 } from '../light/base64.ts'
import { BUNDLE_FORMAT, documentOf, type ProofBundle, type Proven } from '../light/bundle.ts'
import type { EpochLink } from '../light/epochs.ts'
import { genesisCodec } from '../types/epoch.ts'
import { encode } from '../types/schema.ts'

/** `links` lead from the first epoch to the one that the document is proven in. */
export function bundleOf(document: unknown, proven: Proven, links: readonly EpochLink[]): ProofBundle {
  const { genesis, genesisHash } = proven.trust
  return {
    format: BUNDLE_FORMAT,
    kind: proven.kind,
    genesisHash,
    genesis: toBase64(encode(genesisCodec, genesis)),
    epochs: links.map(({ header, certificate, record }) => ({ header, certificate, record })),
    document: documentOf(document, proven),
  }
}
