// Catching up: a node asks a peer for blocks by height and checks each one's certificate itself.
import { batchCodec, certificateCodec, headerCodec } from './block.ts'
import { bytes, decode, list, struct, uint, union, type ValueOf } from './schema.ts'
import { SNAPSHOT_DEPTH_MAX } from './snapshot.ts'

/** Blocks in one answer, and the batch bytes one block may have. */
const ANSWER_BLOCKS_MAX = 256
const BATCH_BYTES_MAX = 16 * 1024 * 1024

/** Certified blocks from height `from` on, at most `limit` of them. */
export const blockRequestCodec = struct('quorate/blocks/1', { from: uint(), limit: uint(ANSWER_BLOCKS_MAX) })
export type BlockRequest = ValueOf<typeof blockRequestCodec>

const certifiedBlockCodec = struct('', {
  header: headerCodec,
  certificate: certificateCodec,
  batch: bytes(1, BATCH_BYTES_MAX),
})
export type CertifiedBlock = ValueOf<typeof certifiedBlockCodec>

export const blockAnswerCodec = list(certifiedBlockCodec, ANSWER_BLOCKS_MAX)

/**
 * Requests about snapshots (types/snapshot.ts), answered with the bytes of a manifest or a chunk, or with nothing where this node has
 * none such. Height 0 asks for the newest manifest. `depth` is that of the manifest: a chunk of another cut is another one.
 */
export const snapshotRequestCodec = union({
  manifest: struct('quorate/manifest-request/1', { height: uint() }),
  chunk: struct('quorate/chunk-request/1', {
    height: uint(),
    depth: uint(SNAPSHOT_DEPTH_MAX),
    index: uint(2 ** SNAPSHOT_DEPTH_MAX - 1),
  }),
})
export type SnapshotRequest = ValueOf<typeof snapshotRequestCodec>

/** Transactions as nodes pass them on, several in one frame. */
export const transactionsFrameCodec = list(bytes(1, 1024 * 1024), 10_000)

export const decodeBatch = (input: Uint8Array) => decode(batchCodec, input)
