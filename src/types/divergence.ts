// Where a node's blocks part from those of others: what it keeps of it, and what nodes ask one another to find the first difference.
// Nothing here is agreed: an answer is a hint, but for what its header's roots prove.
import { certificateCodec, headerCodec } from './block.ts'
import { bytes, flag, hex, list, optional, struct, text, uint, type ValueOf } from './schema.ts'

const DIGEST_BYTES = 32
/** 32 bytes for each transaction of the largest block. */
const DIGESTS_BYTES_MAX = 10_000 * DIGEST_BYTES
/** Keys and values of one transaction's writes in one answer: more than that is not sent. */
export const WRITES_BYTES_MAX = 4 * 1024 * 1024
/** Results and events at their bounds, and what is around them. */
const RECEIPT_BYTES_MAX = 2 * 1024 * 1024
const WRITES_MAX = 100_000
const KEY_BYTES_MAX = 4_096

/** What the block at this height does, transaction by transaction. Executed blocks are told, certified or not. */
export const effectsRequestCodec = struct('quorate/effects/1', { height: uint() })

/**
 * `receipts`: RFC 6962 leaf hashes, of which the header's receiptsRoot is the tree hash. `writes`: digests of each transaction's writes;
 * empty where they are not kept any more.
 */
export const effectsAnswerCodec = struct('', {
  header: headerCodec,
  receipts: bytes(0, DIGESTS_BYTES_MAX),
  writes: bytes(0, DIGESTS_BYTES_MAX),
})
export type BlockEffects = ValueOf<typeof effectsAnswerCodec>

/** What one transaction of a block does: its canonical receipt, and what it writes as running it again shows. */
export const effectRequestCodec = struct('quorate/effect/1', { height: uint(), index: uint() })

export const effectAnswerCodec = struct('', {
  receipt: bytes(1, RECEIPT_BYTES_MAX),
  writes: list(struct('', { key: text(KEY_BYTES_MAX), value: optional(text(WRITES_BYTES_MAX)) }), WRITES_MAX),
})

const NAME = text(512)
const SHORT = text(512)
const LINE = text(2_048)

/** The first difference between this node's block at `height` and another one of the same batch. */
const differenceCodec = struct('', {
  height: uint(),
  ours: hex(DIGEST_BYTES),
  theirs: hex(DIGEST_BYTES),
  /** Names of the header's fields that differ. */
  fields: list(NAME, 16),
  transaction: optional(struct('', { index: uint(), id: hex(DIGEST_BYTES), contract: NAME, method: NAME })),
  /** Its receipts differ too, which the certified or signed header proves; otherwise peers say so. */
  isProven: flag,
  /** What differs in its receipts: `status: ok here, reverted there`. */
  receipt: list(LINE, 16),
  /** Shortened; null where there is no entry after the transaction. */
  key: optional(struct('', { contract: NAME, key: SHORT, ours: optional(SHORT), theirs: optional(SHORT) })),
  /** Names of the peers that say the same, of those that answered. */
  confirmedBy: list(NAME, 16),
  answered: uint(),
  /** What could not be found out, and why; empty where all was. */
  note: text(1_024),
})
export type Difference = ValueOf<typeof differenceCodec>

/** Kept by a node whose block a quorum contradicts: the certificate proves it, so it is not for a restart to forget. */
export const divergenceCodec = struct('quorate/divergence/1', {
  certificate: certificateCodec,
  /** The hash of this node's block at the certificate's height. */
  ours: hex(DIGEST_BYTES),
  difference: optional(differenceCodec),
})
export type Divergence = ValueOf<typeof divergenceCodec>
