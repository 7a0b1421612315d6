// `quorate/light`: checks what a network agreed on, from its genesis hash alone. No Node modules: it runs in browsers, and needs
// nothing but the canonical bytes, SHA-256 and Ed25519.
export {
  BUNDLE_FORMAT,
  type BundleKind,
  kindOf,
  type ProofBundle,
  type Proven,
  type Trusted,
  verifyBundle,
  verifyDocument,
} from './bundle.ts'
export { type EpochLink, followEpoch } from './epochs.ts'
export { type ClientCode, ClientError } from './error.ts'
export { type ProvenBlock, type ProvenRange, verifyEventRange } from './events.ts'
export { type TrustedEpoch, trustGenesis } from './genesis.ts'
export { type CertifiedHeader, readHeader, type VerifySignature, verifyHeader } from './header.ts'
export { type BlockItem, type EventItem, itemsOf, type LedgerItem, type TransactionItem } from './items.ts'
export { type ProvenState, verifyState } from './state.ts'
export { type ProvenTransaction, type TransactionDocument, verifyTransaction } from './transaction.ts'
