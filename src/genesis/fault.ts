// What is wrong with a document, so that whoever mends it needs no second look: where, what was expected, what came, what to do.

export type FaultCode =
  | 'NOT_JSON'
  | 'MISSING'
  | 'UNKNOWN_FIELD'
  | 'WRONG_TYPE'
  | 'TOO_MANY'
  | 'CHAIN_ID'
  | 'PROTOCOL_VERSION'
  | 'ENGINE_HASH'
  | 'ENGINE_MISMATCH'
  | 'TIME'
  | 'TIME_AHEAD'
  | 'NO_VALIDATORS'
  | 'FEW_VALIDATORS'
  | 'NAME'
  | 'NAME_TWICE'
  | 'KEY'
  | 'KEY_TWICE'
  | 'LOG'
  | 'LOG_TWICE'
  | 'PARAMETER'
  | 'PARAMETER_RELATION'
  | 'RULE'
  | 'ROLE'
  | 'ROLE_TWICE'
  | 'ROLE_UNKNOWN'
  | 'ROLE_EMPTY'
  | 'ACCOUNT'
  | 'ACCOUNT_TWICE'
  | 'CONTRACT_NAME'
  | 'CONTRACT_TWICE'
  | 'CODE'
  | 'INIT'
  | 'CONTRACT_FAILS'
  | 'UNENCODABLE'

/** An `error` makes the document unusable; a `warning` is something its makers should know and may want. */
export interface Fault {
  severity: 'error' | 'warning'
  code: FaultCode
  /** Like `validators[2].key`; empty for the document as a whole. */
  path: string
  expected: string
  got: string
  mend: string
}

type Parts = { expected: string; got: unknown; mend: string }

export function fault(code: FaultCode, path: string, parts: Parts): Fault {
  return { severity: 'error', code, path, expected: parts.expected, got: show(parts.got), mend: parts.mend }
}
export function warning(code: FaultCode, path: string, parts: Parts): Fault {
  return { ...fault(code, path, parts), severity: 'warning' }
}

/** One line for people. */
export function describeFault({ path, expected, got, mend }: Fault): string {
  return `${path === '' ? 'the document' : path}: expected ${expected}, got ${got}: ${mend}`
}

/** A value short enough for one line of a message. Words of ours pass as `{ words }`, without quotation marks. */
function show(value: unknown): string {
  if (value === undefined) return 'nothing'
  if (typeof value === 'object' && value !== null && 'words' in value) return String(value.words)
  const text = JSON.stringify(value) ?? String(value)
  return text.length > 100 ? `${text.slice(0, 97)}...` : text
}
