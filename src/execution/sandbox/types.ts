/** The sandbox's port: what it needs from one transaction (ContractHost) and what it answers (Outcome). */

/** What one transaction offers a running contract; implemented over a journal. */
export interface ContractHost {
  /** The JSON text under a key. */
  get(key: string): string | undefined
  set(key: string, json: string): void
  delete(key: string): void
  /** Entries in byte order of their keys, strictly after `after`. */
  scan(prefix: string, after: string | undefined, limit: number): [key: string, json: string][]
  emit(name: string, json: string): void
  /** ok: the result's JSON text; failed: an error the caller may catch; trap: ends the transaction. */
  call(contract: string, method: string, args: string, gasLimit: number): NestedOutcome
  view(contract: string, method: string, args: string, gasLimit: number): NestedOutcome
  sha256(bytes: Uint8Array): Uint8Array
  verifyEd25519(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean
  isAddress(text: string): boolean
  hasRole(account: string, role: string): boolean
  /** What the contract writes to its console; validators leave it out. The gas is the same either way. */
  log?(level: string, text: string): void
}

export type NestedOutcome =
  | { kind: 'ok'; result: string | null; gasUsed: number }
  | { kind: 'failed'; code: string; message: string; gasUsed: number }
  | { kind: 'trap'; code: TrapCode; gasUsed: number }

export interface InvocationContext {
  sender: string | null
  origin: string | null
  contract: string
  block: { height: number; time: number }
  tx: { id: string } | null
}

export interface Invocation {
  code: string
  /** Lower-case hex SHA-256 of the code's UTF-8 bytes. */
  codeHash: string
  kind: 'init' | 'migrate' | 'call' | 'view'
  method: string
  args: string
  context: InvocationContext
  gasLimit: number
  host: ContractHost
  /** 0 for the transaction's own call, one more for each call nested in it. */
  depth: number
}

/** Ends the transaction; the whole gas limit is consumed. STACK: the engine called itself too
 * deeply; DEPTH: contracts called one another too deeply. */
export type TrapCode = 'OUT_OF_GAS' | 'STACK' | 'DEPTH' | 'ENGINE'

/** Refusals by the host and the prelude: inside, a catchable Error with this `code`. The order is the wire between them. */
export const refusals = ['READ_ONLY', 'BAD_KEY', 'BAD_VALUE', 'LIMIT', 'NESTED'] as const
export type RefusalCode = (typeof refusals)[number]

export type FailureCode =
  | 'THROWN'
  | 'UNKNOWN_METHOD'
  | 'BAD_ARGUMENTS'
  | 'OUT_OF_MEMORY'
  | 'STACK_OVERFLOW'
  | 'PROMISE'
  | 'BAD_CODE'
  | RefusalCode

export type Outcome =
  /** The result as JSON text; null where the handler returned undefined. */
  | { status: 'ok'; result: string | null; gasUsed: number }
  /** The handler threw. The message is the contract's own (THROWN, NESTED), otherwise empty: look the code up. */
  | { status: 'failed'; code: FailureCode; message: string; gasUsed: number }
  | { status: 'trap'; code: TrapCode; gasUsed: number }

export interface ContractShape {
  init: boolean
  migrate: boolean
  calls: string[]
  views: string[]
}

export type InspectionCode =
  | 'SYNTAX'
  | 'NO_CONTRACT'
  | 'BAD_SHAPE'
  | 'TOO_LARGE'
  | 'THROWN'
  | 'OUT_OF_MEMORY'
  | 'STACK_OVERFLOW'
  | TrapCode

export type Inspection = ({ ok: true } & ContractShape) | { ok: false; code: InspectionCode; message: string }
