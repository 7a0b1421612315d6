// Why a transaction is not taken: the stable codes of the HTTP API, as values.

export type RefusalCode =
  | 'MALFORMED'
  | 'WRONG_NETWORK'
  | 'EXPIRED'
  | 'GAS_LIMIT'
  | 'NONCE_USED'
  | 'NONCE_TAKEN'
  | 'NONCE_TOO_FAR'
  | 'NOT_ALLOWED'
  | 'TOO_LARGE'
  | 'MEMPOOL_FULL'

/** `id` is the refused transaction's, absent only where the bytes hold none; `heldBy` the one that has its nonce. */
export interface Refusal {
  ok: false
  code: RefusalCode
  message: string
  id?: string
  heldBy?: string
}

export function refuse(code: RefusalCode, message: string, id?: string, heldBy?: string): Refusal {
  return { ok: false, code, message, ...(id === undefined ? {} : { id }), ...(heldBy === undefined ? {} : { heldBy }) }
}
