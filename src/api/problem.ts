// Problem documents (RFC 9457): the one form in which the API refuses.
import type { FastifyError, FastifyReply } from 'fastify'
import { type ApiCode, isApiCode, statusOf, titleOf } from './codes.ts'

export const PROBLEM_TYPE = 'application/problem+json'
const RETRY_AFTER_SECONDS = 1

/** What a document says beyond the standard members, such as `id`, `oldestHeight` or `missing`. */
export type Members = Record<string, unknown>

export interface ProblemDocument extends Members {
  type: string
  title: string
  status: number
  code: string
  detail: string
}

/** Thrown by routes; the server answers with its document. `detail` names the thing, the reason and the mend. */
export class Problem extends Error {
  readonly code: string
  readonly members: Members
  constructor(code: ApiCode, detail: string, members: Members = {}, options?: ErrorOptions) {
    super(detail, options)
    this.name = 'Problem'
    this.code = code
    this.members = members
  }
}

/** `code` may also be a receipt's. Members never replace the standard ones. */
export function problemDocument(code: string, detail: string, members: Members = {}): ProblemDocument {
  const type = `urn:quorate:problem:${code.toLowerCase().replaceAll('_', '-')}`
  return { ...members, type, title: titleOf(code), status: statusOf(code), code, detail }
}

export function sendProblem(reply: FastifyReply, document: ProblemDocument): FastifyReply {
  if (document.status === 429) reply.header('retry-after', RETRY_AFTER_SECONDS)
  return reply.code(document.status).type(PROBLEM_TYPE).send(document)
}

/** The document of anything thrown; undefined for what nobody expected, which is a bug and told to the log alone. */
export function documentOfError(error: unknown): ProblemDocument | undefined {
  if (error instanceof Problem) return problemDocument(error.code, error.message, error.members)
  if (!(error instanceof Error)) return undefined
  const { code, oldestHeight } = error as Error & { code?: unknown; oldestHeight?: unknown }
  if (code === 'PRUNED')
    return problemDocument('PRUNED', error.message, oldestHeight === undefined ? {} : { oldestHeight })
  // Never answered as if it were not there: another node has it whole.
  if (code === 'LEDGER_DAMAGED')
    return problemDocument('LEDGER_DAMAGED', `${error.message} Ask another node meanwhile.`)
  return documentOfFrameworkError(error as FastifyError)
}

/** Fastify's own refusals, in this API's words. */
function documentOfFrameworkError(error: FastifyError): ProblemDocument | undefined {
  if (error.validation !== undefined) {
    const code = error.validationContext === 'body' ? 'MALFORMED' : 'BAD_PARAMETER'
    return problemDocument(code, `${describeFault(error)}: correct it as /openapi.json describes.`)
  }
  switch (error.code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return problemDocument('TOO_LARGE', 'The body is larger than this route takes: send less at a time.')
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return problemDocument(
        'UNSUPPORTED_MEDIA_TYPE',
        'The body has another content type than JSON: send it as application/json.',
      )
    case 'FST_ERR_BAD_URL':
    case 'FST_ERR_MAX_PARAM_LENGTH':
      return problemDocument(
        'BAD_PARAMETER',
        `The path cannot be read: ${error.message}: percent-encode and shorten it.`,
      )
  }
  if (error.statusCode !== undefined && error.statusCode >= 400 && error.statusCode < 500) {
    return problemDocument('MALFORMED', `The body cannot be read: ${error.message}: send one JSON document.`)
  }
  return undefined
}

function describeFault(error: FastifyError): string {
  const [fault] = error.validation!
  const named = fault?.keyword === 'additionalProperties' ? ` (${String(fault.params.additionalProperty)})` : ''
  return `${error.message}${named}`
}

/** A node's own words for what this API has a code for. */
const NODE_CODES: Record<string, ApiCode> = { BUSY: 'TOO_BUSY' }
export const publicCode = (code: string): string => NODE_CODES[code] ?? code

/** The code a transaction was refused with; INTERNAL where it is none of this API's, which would be a bug of the node's. */
export function refusalCode(code: string): ApiCode {
  const known = publicCode(code)
  return isApiCode(known) ? known : 'INTERNAL'
}
