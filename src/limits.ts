// Every bound that is not part of a byte format, with its reason. Relations between bounds are asserted at the end.
import type { Parameters } from './types/epoch.ts'
import { TRANSACTION_BYTES_MAX } from './types/transaction.ts'

/** What a new genesis document starts from. Times in ms, sizes in bytes, gas in units, windows in blocks. */
export const PARAMETER_DEFAULTS: Parameters = {
  blockTransactionsMax: 1_000,
  blockBytesMax: 2 * 1024 * 1024,
  // At least six gas run in a nanosecond (docs/benchmarks.md): half a second of a core for the worst block, 50 ms for a transaction.
  blockGasMax: 3_000_000_000,
  transactionGasMax: 300_000_000,
  batchDelayMs: 20,
  progressTimeoutMs: 2_000,
  timeoutMaxMs: 30_000,
  timePastMs: 10_000,
  timeAheadMs: 1_000,
  heartbeatMs: 0,
  windowBlocks: 32,
  inFlightBlocks: 8,
  snapshotIntervalBlocks: 1_000,
  deploy: 'anyone',
  transact: 'anyone',
}

/** STATUS is sent this often, and on connect: the only retransmission there is (docs/protocol.md, "STATUS"). */
export const STATUS_INTERVAL_MS = 1_000

/** The mempool: in all, of one sender, how far ahead of the next nonce, and what one peer may have pending. */
export const MEMPOOL_TRANSACTIONS_MAX = 50_000
export const MEMPOOL_BYTES_MAX = 64 * 1024 * 1024
export const MEMPOOL_PER_SENDER_MAX = 1_024
export const MEMPOOL_NONCE_AHEAD_MAX = 1_024
export const MEMPOOL_PER_PEER_MAX = 25_000

/** Blocks in one catch-up answer, by number and by bytes: an answer stays well under the frame limit and is checked quickly. */
export const FETCH_BLOCKS_MAX = 64
export const FETCH_BYTES_MAX = 8 * 1024 * 1024

/** How deep contracts call one another. Each depth has a sandbox instance of its own. */
export const CALL_DEPTH_MAX = 8
/** Contract images on the disk: a thousand of the largest, and several thousand of usual ones. */
export const IMAGE_FILES_BYTES_MAX = 1024 * 1024 * 1024
/** What a view, a dry run or a replay may burn, and how many may wait: reads never crowd out blocks. */
export const VIEW_GAS_MAX = 300_000_000
export const VIEW_QUEUE_MAX = 256
/** Keys, values and code that the record of one transaction may hold: a node keeps it in memory until it is sent. */
export const REPLAY_BYTES_MAX = 4 * 1024 * 1024

/** State history a node keeps, in blocks behind its head: how far back `?height=` reaches. */
export const STATE_HISTORY_BLOCKS = 10_000

/** The largest frame between validators: a proposal with its batch, a batch asked for, a NEW-VIEW. */
export const PROPOSAL_FRAME_BYTES_MAX = 8 * 1024 * 1024

/** State snapshots a node keeps for those who join by one: two, so that the older is there while the newer is made. */
export const SNAPSHOTS_KEPT = 2
/**
 * The fewest blocks a node may keep: those of which it answers the state before, and those a node needs that begins with the oldest of
 * its snapshots, at the moment before a newer one takes its place.
 */
export function keepBlocksMin({ historyBlocks, snapshots }: Kept, snapshotIntervalBlocks: number): number {
  return Math.max(historyBlocks, snapshots === 0 ? 0 : (snapshots + 1) * snapshotIntervalBlocks)
}
interface Kept {
  historyBlocks: number
  /** How many snapshots are kept; 0: none is made. */
  snapshots: number
}

/** Blocks whose write digests a node keeps, 32 bytes a transaction: whoever diverges asks within moments (docs/protocol.md, rule 10). */
export const WRITE_DIGEST_BLOCKS = 2_000

/** HTTP bodies: one transaction, or a batch of them. */
export const API_BODY_BYTES_MAX = 4 * 1024 * 1024
export const API_TRANSACTIONS_PER_REQUEST_MAX = 1_000
export const API_PAGE_MAX = 100

/** The consensus log is rewritten without what is below the certified height once it has grown past this. */
export const LOG_REWRITE_BYTES = 32 * 1024 * 1024

if (PARAMETER_DEFAULTS.blockBytesMax < 2 * TRANSACTION_BYTES_MAX)
  throw new Error('a block must hold the largest transaction')
if (PARAMETER_DEFAULTS.snapshotIntervalBlocks > STATE_HISTORY_BLOCKS)
  throw new Error('the state a snapshot is made of must still be kept while it is made')
if (PARAMETER_DEFAULTS.inFlightBlocks > PARAMETER_DEFAULTS.windowBlocks)
  throw new Error('inFlightBlocks must fit in windowBlocks')
if (PARAMETER_DEFAULTS.blockGasMax < PARAMETER_DEFAULTS.transactionGasMax)
  throw new Error('a block must hold the dearest transaction')
