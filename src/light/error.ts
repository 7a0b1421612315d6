// The one error class of the SDK and of light verification. `code` is stable: the API's own code where a node answered with a problem document (RFC 9457),
// otherwise one of those listed here.

/** Codes that the client itself raises; every other one comes from a node's problem document. */
export type ClientCode =
  /** No node answered. */
  | 'UNREACHABLE'
  /** A node answered with something that is not the API's. */
  | 'BAD_ANSWER'
  /** The time allowed is over; the transaction may still run. */
  | 'TIMEOUT'
  /** The network is not the one that was asked for. */
  | 'WRONG_NETWORK'
  /** An answer contradicts its own proof, or has none. */
  | 'BAD_PROOF'
  /** The nonce went to another transaction each time one was signed. */
  | 'NONCE_CONTENDED'

export interface ClientErrorDetails {
  /** The HTTP status, where a node answered. */
  status?: number
  /** The transaction's id, where the error is about one. */
  id?: string
  /** The endpoint that answered, or did not. */
  endpoint?: string
  /** How long the node asked to be left alone. */
  retryAfterMs?: number
  cause?: unknown
}

export class ClientError extends Error {
  readonly code: string
  readonly status: number | undefined
  readonly id: string | undefined
  readonly endpoint: string | undefined
  readonly retryAfterMs: number | undefined

  constructor(code: ClientCode | (string & {}), message: string, details: ClientErrorDetails = {}) {
    super(message, 'cause' in details ? { cause: details.cause } : undefined)
    this.name = 'ClientError'
    this.code = code
    this.status = details.status
    this.id = details.id
    this.endpoint = details.endpoint
    this.retryAfterMs = details.retryAfterMs
  }
}
