// What work outside the sandbox costs in gas. Every price is a formula of bytes, so that all nodes agree on it and a proposer can
// compute it without executing anything. The unit is that of sandbox/gas.ts, an instruction of the
// metered engine: at least six of them run in a nanosecond.

/** Checking a signature, looking up and writing the nonce, the receipt, the index entries: about 80 µs. */
export const TRANSACTION_GAS = 500_000
/** A byte is gossiped, hashed, ordered, stored and served. */
export const TRANSACTION_GAS_PER_BYTE = 100

/** What a transaction costs before any of it runs; a gas limit below this is refused. `wireLength` counts the signature. */
export function intrinsicGas(wireLength: number): number {
  return TRANSACTION_GAS + TRANSACTION_GAS_PER_BYTE * wireLength
}

/** A call of the system contract: reading its arguments and the record concerned, and writing it back. */
export const SYSTEM_CALL_GAS = 150_000
/** A byte of arguments is parsed, and may be written out again for an init. */
export const SYSTEM_GAS_PER_BYTE = 50

/** What each call of the system contract costs, before anything it starts. `argumentsLength` is in bytes of UTF-8. */
export function systemCallGas(argumentsLength: number): number {
  return SYSTEM_CALL_GAS + SYSTEM_GAS_PER_BYTE * argumentsLength
}

/** Top-level code may run this long (1 to 2 ms) however short it is, and longer by its length: compiling takes about 1,250 a byte. */
export const LOAD_GAS = 10_000_000
export const LOAD_GAS_PER_BYTE = 1_500

/**
 * What evaluating a contract's code may burn, and what deploying it costs in full. Loading is never charged again, though caches
 * make a node load it any number of times: so whoever deploys pays for the most a load can take.
 */
export function loadGas(codeLength: number): number {
  return LOAD_GAS + LOAD_GAS_PER_BYTE * codeLength
}
