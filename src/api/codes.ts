// Every code a problem document can carry, with its HTTP status and title. docs/errors.md holds the same table, and a test holds the
// two together. Views and dry runs answer with the codes of receipts as well: see `statusOf`.

interface CodeEntry {
  status: number
  title: string
}

export const API_CODES = {
  MALFORMED: { status: 400, title: 'The body is not what the route takes' },
  BAD_PARAMETER: { status: 400, title: 'A parameter is not what the route takes' },
  BAD_SIGNATURE: { status: 400, title: 'The signature does not verify' },
  WRONG_NETWORK: { status: 400, title: 'The transaction is for another network' },
  EXPIRED: { status: 400, title: 'The transaction has expired' },
  GAS_LIMIT: { status: 400, title: 'The gas limit is out of range' },
  UNAUTHORIZED: { status: 401, title: 'Only the owner of the node may do this' },
  NOT_ALLOWED: { status: 403, title: 'The sender may not do this' },
  NOT_FOUND: { status: 404, title: 'There is no such route' },
  UNKNOWN_TRANSACTION: { status: 404, title: 'No certified block has this transaction' },
  UNKNOWN_BLOCK: { status: 404, title: 'There is no such block' },
  UNKNOWN_HEIGHT: { status: 404, title: 'The height is not certified' },
  UNKNOWN_CONTRACT: { status: 404, title: 'There is no such contract' },
  UNKNOWN_METHOD: { status: 404, title: 'The contract has no such method' },
  UNKNOWN_KEY: { status: 404, title: 'The contract has no value under this key' },
  METHOD_NOT_ALLOWED: { status: 405, title: 'The route does not take this method' },
  NONCE_USED: { status: 409, title: 'The nonce is used' },
  NONCE_TAKEN: { status: 409, title: 'Another pending transaction has the nonce' },
  NONCE_TOO_FAR: { status: 409, title: 'The nonce is too far ahead' },
  BUSY: { status: 409, title: 'The node is at it already' },
  PRUNED: { status: 410, title: 'The data is no longer kept' },
  TOO_LARGE: { status: 413, title: 'Too large for one request' },
  UNSUPPORTED_MEDIA_TYPE: { status: 415, title: 'The body is not JSON' },
  MEMPOOL_FULL: { status: 429, title: 'The node holds as many pending transactions as it may' },
  TOO_BUSY: { status: 429, title: 'The node works on as many such requests as it may' },
  HEADERS_TOO_LARGE: { status: 431, title: 'The request headers are too large' },
  LEDGER_DAMAGED: { status: 500, title: 'What is asked for is damaged on this node' },
  INTERNAL: { status: 500, title: 'The node failed' },
  NOT_SUPPORTED: { status: 501, title: 'This node cannot do this' },
  SYNCING: { status: 503, title: 'The node is catching up' },
  NO_QUORUM: { status: 503, title: 'Too few validators are heard from' },
  STALLED: { status: 503, title: 'The network does not advance' },
  DIVERGED: { status: 503, title: 'The node disagrees with the network' },
  DISK: { status: 503, title: 'The node cannot write to its disk' },
  CLOSING: { status: 503, title: 'The node is stopping' },
  TIMEOUT: { status: 504, title: 'The wait ended first' },
} as const satisfies Record<string, CodeEntry>
export type ApiCode = keyof typeof API_CODES

export const isApiCode = (code: string): code is ApiCode => Object.hasOwn(API_CODES, code)

/** Codes of receipts that say the request itself was wrong; all others mean that the contract ran and refused. */
const BAD_REQUEST_CODES = new Set(['BAD_ARGUMENTS'])

/** The HTTP status of any code: of the API's own, or of a receipt's when a view or dry run ends with it. */
export function statusOf(code: string): number {
  if (isApiCode(code)) return API_CODES[code].status
  return BAD_REQUEST_CODES.has(code) ? 400 : 422
}

export const titleOf = (code: string): string => (isApiCode(code) ? API_CODES[code].title : 'The contract refused')
