// Bounds of block execution, with their reasons. They are consensus rules: nodes that differ in one of them differ in receipts.

/** Events of one transaction, over all its nested calls: a receipt is hashed, stored and streamed whole (and its format ends at 1,024). */
export const EVENTS_MAX = 1_024
export const EVENTS_BYTES_MAX = 512 * 1024

/** A contract's own message in a receipt, in bytes of UTF-8. */
export const MESSAGE_BYTES_MAX = 1_024

/**
 * Deleted keys that the scans of one transaction may pass over, about 3 ms of work. Gas is charged for what a scan returns, so
 * without this bound deleting n keys and scanning over them n times would take n² steps for n's price.
 */
export const SCAN_SKIPS_MAX = 20_000

/** Code and addresses kept in memory; both can be had again at any time. */
export const CODE_CACHE_BYTES_MAX = 32 * 1024 * 1024
export const ADDRESS_CACHE_MAX = 20_000
