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
  /** For what only the owner of a node may ask. */
  token?: string
  timeoutMs: number
  signal?: AbortSignal
  /** The code of a problem document that is an answer like any other. */
  answerCode?: string
}

/** The parsed answer of a 2xx, an object always. Throws ClientError: a problem document's code, UNREACHABLE or BAD_ANSWER. */
export async function fetchJson(endpoint: string, request: HttpRequest): Promise<object> {
  const { response, text } = await exchange(endpoint, request)
  const value = parse(text)
  if (!response.ok) {
    const problem = problemOf(endpoint, response, value)
    if (problem.code !== request.answerCode) throw problem
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ClientError(
      'BAD_ANSWER',
      `${endpoint}${request.path} answered with something that is no JSON object: check that it is a Quorate node`,
      {
        status: response.status,
        endpoint,
      },
    )
  }
  return value
}

async function exchange(endpoint: string, { method = 'GET', path, body, token, timeoutMs, signal }: HttpRequest) {
  const signals = [AbortSignal.timeout(timeoutMs), ...(signal === undefined ? [] : [signal])]
  const init: RequestInit = { method, signal: AbortSignal.any(signals), headers: { accept: 'application/json' } }
  if (token !== undefined) init.headers = { ...init.headers, authorization: `Bearer ${token}` }
  if (body !== undefined) {
    init.body = body
    init.headers = { ...init.headers, 'content-type': 'application/json' }
  }
  try {
    const response = await fetch(`${endpoint}${path}`, init)
    return { response, text: await readBounded(response) }
  } catch (cause) {
    throw unreachable(endpoint, cause, timeoutMs)
  }
}

function unreachable(endpoint: string, cause: unknown, timeoutMs: number): ClientError {
  if (cause instanceof ClientError) return cause
  const message = `no node answers at ${endpoint} (${reasonOf(cause, timeoutMs)})`
  return new ClientError('UNREACHABLE', message, { endpoint, cause })
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

/** The body of a 2xx as it comes, however long. Throws ClientError where none begins within `timeoutMs`, as `fetchJson` does. */
export async function fetchStream(
  endpoint: string,
  { path, timeoutMs, signal }: Pick<HttpRequest, 'path' | 'timeoutMs' | 'signal'>,
): Promise<ReadableStream<Uint8Array>> {
  const slow = new AbortController()
  const timer = setTimeout(() => slow.abort(new DOMException('', 'TimeoutError')), timeoutMs)
  try {
    const signals = signal === undefined ? [slow.signal] : [slow.signal, signal]
    const response = await fetch(`${endpoint}${path}`, { signal: AbortSignal.any(signals) })
    if (!response.ok) throw problemOf(endpoint, response, parse(await readBounded(response)))
    return response.body!
  } catch (cause) {
    throw unreachable(endpoint, cause, timeoutMs)
  } finally {
    clearTimeout(timer)
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
