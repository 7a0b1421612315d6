// A state snapshot: the state at a certified height as a manifest, which proves itself, and chunks, which the manifest proves
// (docs/data.md, "Snapshots"). The state tree is cut at a depth of `depth` bits into 2^depth subtrees; a chunk holds one of them.
import { certificateCodec, headerCodec } from './block.ts'
import { hex, list, struct, text, uint, type ValueOf } from './schema.ts'

/** 4,096 subtrees: a manifest has at most 150 kB. */
export const SNAPSHOT_DEPTH_MAX = 12
/** Well below the frame limit of an answer (16 MiB); the largest contract code alone can have several MiB. */
export const CHUNK_BYTES_MAX = 14 * 1024 * 1024
/** Entries can be as small as a few bytes and take far more in memory: a chunk of the goal's size (snapshot/cut.ts) has below 10,000. */
export const CHUNK_ENTRIES_MAX = 2 ** 16
/** A subtree without keys, with one, with more. The kind decides how a subtree joins its neighbour. */
export const EMPTY = 0
export const LEAF = 1
export const INNER = 2

const subtreeCodec = struct('', { kind: uint(INNER), hash: hex(32) })
/** `hash` of an empty subtree is ZERO_HASH. */
export type Subtree = ValueOf<typeof subtreeCodec>

/** `subtrees` in the order of their prefixes, 2^depth of them. */
export const manifestCodec = struct('quorate/snapshot/1', {
  header: headerCodec,
  certificate: certificateCodec,
  depth: uint(SNAPSHOT_DEPTH_MAX),
  subtrees: list(subtreeCodec, 2 ** SNAPSHOT_DEPTH_MAX),
})
export type Manifest = ValueOf<typeof manifestCodec>

/** State keys (`contract NUL key`) with their values as JSON text, in the order of their paths. */
export const chunkCodec = struct('quorate/chunk/1', {
  height: uint(),
  index: uint(2 ** SNAPSHOT_DEPTH_MAX - 1),
  entries: list(struct('', { key: text(CHUNK_BYTES_MAX), value: text(CHUNK_BYTES_MAX) }), CHUNK_ENTRIES_MAX),
})
export type Chunk = ValueOf<typeof chunkCodec>
export type ChunkEntry = Chunk['entries'][number]
