// Requests that are not HTTP, or too large or slow to become one: answered on the bare socket, in the same form.
import type { Socket } from 'node:net'
import { API_CODES, type ApiCode } from './codes.ts'
import { PROBLEM_TYPE, problemDocument } from './problem.ts'

const CODES: Record<string, [ApiCode, string]> = {
  HPE_HEADER_OVERFLOW: [
    'HEADERS_TOO_LARGE',
    'The request headers are larger than this node takes: send fewer or shorter ones.',
  ],
  ERR_HTTP_REQUEST_TIMEOUT: ['TIMEOUT', 'The request did not arrive whole in time: send it again, faster.'],
}
const OTHER: [ApiCode, string] = ['MALFORMED', 'This is not an HTTP request: send one as RFC 9112 describes.']

export function answerBrokenRequest(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return
  if (!socket.writable) {
    socket.destroy()
    return
  }
  const [code, detail] = CODES[error.code ?? ''] ?? OTHER
  const body = JSON.stringify(problemDocument(code, detail))
  const head = [
    `HTTP/1.1 ${API_CODES[code].status} ${API_CODES[code].title}`,
    `Content-Type: ${PROBLEM_TYPE}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`)
}
