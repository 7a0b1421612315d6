/**
 * `quorate/contract`: what contract authors import. Types for the context, `contract` to define one and `assert` to refuse.
 * The global `console` has log, info, warn, error and debug; who runs the contract may show their lines, validators do not.
 * It imports nothing, because it is bundled into every contract.
 */

/** What `JSON.stringify` keeps. Amounts are decimal strings: numbers lose precision past 2^53. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json | undefined }

/** State as a view sees it. Keys are text of 1 to 256 UTF-8 bytes without lone surrogates. */
export interface ReadableState {
  /** The value under a key, or undefined. The type is the caller's claim about what its own code has written. */
  // biome-ignore lint/suspicious/noExplicitAny: without a claim the value's shape is unknown, and JSON has no better type to give.
  get<Value = any>(key: string): Value | undefined
  /** Entries whose keys start with the prefix, in byte order, strictly after `after`; at most `limit` (100, up to 1000). */
  // biome-ignore lint/suspicious/noExplicitAny: as for get.
  scan<Value = any>(prefix: string, options?: ScanOptions): [key: string, value: Value][]
}

export interface ScanOptions {
  after?: string
  limit?: number
}

export interface State extends ReadableState {
  /** Stores a JSON value of up to 64 KiB. Throws on bigint, on numbers that are not finite, and on undefined. */
  set(key: string, value: unknown): void
  delete(key: string): void
}

export interface Crypto {
  /** Lower-case hex SHA-256 of bytes, or of a text's UTF-8 bytes. */
  sha256(data: string | Uint8Array): string
  /** Keys and signatures in lower-case hex; anything else in their place is no valid signature. */
  verifyEd25519(publicKey: string, message: string | Uint8Array, signature: string): boolean
}

interface CommonContext {
  /** This contract's name. */
  readonly contract: string
  /** Height of the block being executed, and its time in milliseconds since 1970 (agreed by the validators). */
  readonly block: { readonly height: number; readonly time: number }
  readonly crypto: Crypto
  /** Runs a view of another contract. */
  // biome-ignore lint/suspicious/noExplicitAny: the other contract decides what it answers.
  view<Result = any>(contract: string, method: string, args?: unknown): Result
  /** Whether a text is an account's address, its checksum included. */
  isAddress(text: unknown): text is string
  hasRole(account: string, role: string): boolean
}

/** What `init`, `migrate` and calls get. */
export interface CallContext extends CommonContext {
  /** Who called: an address, or `contract:NAME` where another contract did. */
  readonly sender: string
  /** Who signed the transaction. */
  readonly origin: string
  readonly tx: { readonly id: string }
  readonly state: State
  /** Adds an event to the receipt. The name has up to 64 bytes, the data up to 16 KiB as JSON. */
  emit(name: string, data: unknown): void
  /**
   * Calls another contract. When it throws, its writes are dropped and an error with `code` 'NESTED' and the callee's
   * message is thrown here, which may be caught; running out of gas anywhere ends the whole transaction.
   */
  // biome-ignore lint/suspicious/noExplicitAny: the other contract decides what it answers.
  call<Result = any>(contract: string, method: string, args?: unknown): Result
}

/** What views get: nobody sent anything, and nothing can be changed. */
export interface ViewContext extends CommonContext {
  readonly sender: null
  readonly origin: null
  readonly tx: null
  readonly state: ReadableState & { readonly set?: never; readonly delete?: never }
  readonly emit?: never
  readonly call?: never
}

/** Errors the sandbox throws into a contract carry one of these codes. */
export interface SandboxError extends Error {
  readonly code: 'READ_ONLY' | 'BAD_KEY' | 'BAD_VALUE' | 'LIMIT' | 'NESTED'
  /** With NESTED: why the callee failed. */
  readonly calleeCode?: string
}

/**
 * Handlers are synchronous. Arguments are whatever JSON the caller sent: the type written here is what the contract expects,
 * and the handler must check it.
 */
// biome-ignore lint/suspicious/noExplicitAny: each handler states its own argument type, which a common type cannot name.
export type CallHandler = (context: CallContext, args: any) => unknown
// biome-ignore lint/suspicious/noExplicitAny: as above.
export type ViewHandler = (context: ViewContext, args: any) => unknown

export interface ContractDefinition {
  /** Runs once, when the contract is deployed. */
  init?: CallHandler
  /**
   * Runs once, when this code replaces another version's: it brings the state into the form this code reads. The owner is its
   * sender; what it throws undoes the upgrade.
   */
  migrate?: CallHandler
  calls?: { readonly [method: string]: CallHandler }
  views?: { readonly [method: string]: ViewHandler }
}

/** Defines a contract; the module's default export. Names are letters, digits and underscores, unique over calls and views. */
export function contract<Definition extends ContractDefinition>(definition: Definition): Definition {
  return definition
}

/** Throws an error with this message unless the condition holds; outside all handlers that reverts the transaction. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(message)
}
