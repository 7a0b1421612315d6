// One request to one node: JSON out, JSON in, problem documents (RFC 9457) as ClientError.
import { ClientError } from '../light/error.ts'

/** More than the largest answer a node gives: a page of blocks, or a contract's code. */
const ANSWER_BYTES_MAX = 32 * 1024 * 1024

export interface HttpRequest {
  method?: 'GET' | 'POST'
  /** Below the endpoint, with its query. */
  path: string
  /** JSON text, sent as it is: numbers of any length keep their digits. */
  body?: string
  timeoutMs: number
}

/** The parsed answer of a 2xx. Throws ClientError: a problem document's code, UNREACHABLE or BAD_ANSWER. */
export async function fetchJson(endpoint: string, request: HttpRequest): Promise<unknown> {
  const { response, text } = await exchange(endpoint, request)
  const value = parse(text)
  if (!response.ok) throw problemOf(endpoint, response, value)
  if (value === undefined) {
    throw new ClientError(
      'BAD_ANSWER',
      `${endpoint}${request.path} answered with something that is not JSON: check that it is a Quorate node`,
      {
        status: response.status,
        endpoint,
      },
    )
  }
  return value
}

async function exchange(endpoint: string, { method = 'GET', path, body, timeoutMs }: HttpRequest) {
  const init: RequestInit = { method, signal: AbortSignal.timeout(timeoutMs), headers: { accept: 'application/json' } }
  if (body !== undefined) {
    init.body = body
    init.headers = { ...init.headers, 'content-type': 'application/json' }
  }
  try {
    const response = await fetch(`${endpoint}${path}`, init)
    return { response, text: await readBounded(response) }
  } catch (cause) {
    if (cause instanceof ClientError) throw cause
    throw new ClientError('UNREACHABLE', `no node answers at ${endpoint} (${reasonOf(cause, timeoutMs)})`, {
      endpoint,
      cause,
    })
  }
}

async function readBounded(response: Response): Promise<string> {
  if (response.body === null) return ''
  const decoder = new TextDecoder()
  let text = ''
  let bytes = 0
  const reader = response.body.getReader()
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return text + decoder.decode()
    bytes += value.length
    if (bytes > ANSWER_BYTES_MAX) {
      await reader.cancel()
      throw new ClientError(
        'BAD_ANSWER',
        `${response.url} answered with more than ${ANSWER_BYTES_MAX} bytes: check that it is a Quorate node`,
      )
    }
    text += decoder.decode(value, { stream: true })
  }
}

/** What a failed fetch was about: the system's own code where there is one. */
function reasonOf(error: unknown, timeoutMs: number): string {
  if (!(error instanceof Error)) return String(error)
  if (error.name === 'TimeoutError') return `no answer within ${timeoutMs} ms`
  const { cause } = error as { cause?: { code?: string; message?: string } }
  return cause?.code ?? cause?.message ?? error.message
}

function problemOf(endpoint: string, response: Response, value: unknown): ClientError {
  const { code, detail, title, id } = (typeof value === 'object' && value !== null ? value : {}) as Record<
    string,
    unknown
  >
  const { status } = response
  if (typeof code !== 'string') {
    return new ClientError(
      'BAD_ANSWER',
      `${response.url || endpoint} answered with status ${status} and no problem document: check that it is a Quorate node`,
      { status, endpoint },
    )
  }
  const retryAfter = Number(response.headers.get('retry-after') ?? Number.NaN)
  return new ClientError(code, String(detail ?? title ?? code), {
    status,
    endpoint,
    id: typeof id === 'string' ? id : undefined,
    retryAfterMs: Number.isFinite(retryAfter) ? retryAfter * 1000 : undefined,
    cause: value,
  })
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
