/**
 * Every bound of the contract sandbox, with its reason. All of them are consensus rules: two nodes that disagree on one of
 * them disagree on receipts. Sizes are bytes of UTF-8 unless the name says otherwise.
 */

/** SHA-256 of the pinned engine binary (quickjs-wasi 3.6.2, quickjs-ng 0.17). Another binary is another protocol version. */
export const ENGINE_SHA256 = 'd4c9375f2b1ca4dc95f72c8aa2982a7a9951ac8011490d79c6582df732b4bbd9'

/** SHA-256 of that binary metered by src/execution/metering with the limits below: gas is what this module counts. */
export const METERED_SHA256 = 'ad1b865827ffcc6770180ef69000b052855e5de7da749f0f4ba365da1cb4f9c9'

/**
 * The engine's memory in pages of 64 KiB, 1 MiB of stack included: what the heap below may take, and room for the gaps in it. The
 * engine sees its memory grow, but has this much from the start.
 */
export const MEMORY_PAGES_MAX = 160

/**
 * Calls inside the engine that have not returned, over all contracts of a transaction: several for a call in JavaScript. Every
 * attack of the test suite fits in 1 MiB of V8's stack with this; the worker threads have 32 (docs/contracts-runtime.md).
 */
export const ENGINE_CALLS_MAX = 4_000

/** Enough to evaluate the longest bundle (cost.ts), and short (40 ms at worst), because loading again is never paid for. */
export const LOAD_GAS_MAX = 210_000_000

/** A bundled contract travels in one transaction, is kept in the state, and is compiled again whenever its image was dropped. */
export const CODE_BYTES_MAX = 128 * 1024

/** What a contract may leave in memory after loading, the engine's own 390 KiB included: all of it is copied before each call. */
export const IMAGE_BYTES_MAX = 1024 * 1024

/** The engine's heap for one call: generous for ledger work, small enough that a machine's caches hold most of it. */
export const MEMORY_BYTES_MAX = 8 * 1024 * 1024

/** Cycles are collected when the heap passes this; below it short calls never pay for a collection. */
export const COLLECTION_BYTES = 4 * 1024 * 1024

/** The engine's own stack: about 800 frames of JavaScript. The overflow is a RangeError the contract can catch. */
export const STACK_BYTES_MAX = 192 * 1024

/** Calls between contracts: deep enough for composition; each level holds an instance of up to 10 MiB. */
export const DEPTH_MAX = 8

/** Keys are addressed in URLs and proven whole; a longer name belongs into the value. */
export const KEY_BYTES_MAX = 256

/** One value: every read parses it whole and every proof carries it whole. */
export const VALUE_BYTES_MAX = 64 * 1024

/** The arguments of one call, as JSON text; also bounded by the transaction's size. */
export const ARGUMENTS_BYTES_MAX = 256 * 1024

/** Nesting of argument text: the engine's JSON parser recurses on the native stack, which no gas bounds. */
export const ARGUMENTS_DEPTH_MAX = 128

/** A handler's result is carried in the receipt. */
export const RESULT_BYTES_MAX = 64 * 1024

/** A contract's own thrown message, carried in the receipt. */
export const MESSAGE_BYTES_MAX = 1024

/** Events are hashed into receipts and streamed to every listener. Counts and bytes are per handler, nested ones apart. */
export const EVENT_COUNT_MAX = 256
export const EVENT_NAME_BYTES_MAX = 64
export const EVENT_BYTES_MAX = 16 * 1024
export const EVENTS_BYTES_MAX = 128 * 1024

/** One scan: pages keep a single host call short; contracts continue with `after`. */
export const SCAN_LIMIT_MAX = 1000
export const SCAN_LIMIT_DEFAULT = 100
export const SCAN_BYTES_MAX = 1024 * 1024

/** One line of a contract's log. */
export const LOG_BYTES_MAX = 4 * 1024

/** What `crypto` takes in one go. */
export const CRYPTO_BYTES_MAX = 256 * 1024

/** Names given to the host: contracts are up to 40 characters and methods 64; roles and accounts are bounded alike. */
export const NAME_BYTES_MAX = 128
export const METHOD_PATTERN = /^[A-Za-z][A-Za-z0-9_]{0,63}$/

/** Contract images kept in memory, by bytes; any of them can be read back or rebuilt identically. */
export const IMAGE_CACHE_BYTES = 128 * 1024 * 1024
