// What one API serves at a time, with reasons. Sizes in bytes, times in milliseconds.
import { API_BODY_BYTES_MAX, VIEW_QUEUE_MAX } from '../limits.ts'

export interface ApiLimits {
  /** Open sockets; more are closed at once. */
  connectionsMax: number
  bodyBytesMax: number
  /** Bodies being read or worked on, together: memory a crowd of large submissions can take. */
  bodyBytesInFlightMax: number
  /** Reads of blocks, receipts and state that are being answered: each may hold a block in memory. */
  readsMax: number
  /** Views and dry runs, which run contracts: less than the node's own queue holds, so that this refuses first. */
  runsMax: number
  /** Rehearsals of upgrades: each runs a block twice, up to its whole gas, and views wait behind it. */
  rehearsalsMax: number
  /** Requests that wait for a transaction or a height; each costs a socket and little memory. */
  waitsMax: number
  /** Event streams. */
  streamsMax: number
  /** How long `wait` waits unless told, and at most. */
  waitDefaultMs: number
  waitMaxMs: number
  /** How long a read waits for `minHeight` or for a quorum. */
  heightWaitMs: number
  /** A page ends early once it has this many bytes, so that few large items cannot make a huge answer. */
  pageBytes: number
  /** Blocks in one document of events: each is a read of its own. */
  rangeBlocksMax: number
  /** Changes of validators in one page: each has up to 100 names and keys, and as many signatures. */
  epochLinksMax: number
  /** Silence after which a stream says that it lives, and says how far it has read. */
  heartbeatMs: number
  /** How long a stream's reader may leave a full buffer unread before it is disconnected; it can resume. */
  streamStallMs: number
  /** Dry runs in one request: each may burn as much gas as a view. */
  simulationsPerRequestMax: number
}

export const API_LIMITS: ApiLimits = {
  connectionsMax: 4_096,
  bodyBytesMax: API_BODY_BYTES_MAX,
  bodyBytesInFlightMax: 64 * 1024 * 1024,
  readsMax: 64,
  runsMax: 64,
  rehearsalsMax: 1,
  waitsMax: 2_048,
  streamsMax: 256,
  waitDefaultMs: 30_000,
  waitMaxMs: 120_000,
  heightWaitMs: 5_000,
  pageBytes: 1024 * 1024,
  rangeBlocksMax: 256,
  epochLinksMax: 20,
  heartbeatMs: 15_000,
  streamStallMs: 30_000,
  simulationsPerRequestMax: 16,
}

/** The arguments of a view, as the sandbox takes them. */
export const VIEW_BODY_BYTES_MAX = 256 * 1024

/** State keys: 256 bytes of UTF-8, which percent-encoding makes three times as long. */
export const KEY_BYTES_MAX = 256
export const KEY_SEGMENT_MAX = 3 * KEY_BYTES_MAX

/** Roles listed of one account. */
export const ACCOUNT_ROLES_MAX = 1_000

if (API_LIMITS.runsMax + API_LIMITS.rehearsalsMax > VIEW_QUEUE_MAX)
  throw new Error('the API must not let in more views than the node queues')
if (API_LIMITS.bodyBytesInFlightMax < API_LIMITS.bodyBytesMax) throw new Error('the largest body must fit')
