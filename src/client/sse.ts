// Server-Sent Events (WHATWG HTML, section 9.2.6) out of a response's body, in Node and in browsers.
import { ClientError } from '../light/error.ts'

/** More than the largest event a node sends: 64 KiB of data, escaped as JSON. */
const EVENT_CHARACTERS_MAX = 1024 * 1024

export interface ServerEvent {
  /** The last id so far: an event without one keeps it. */
  id: string
  /** Undefined where only the id came, which marks how far the stream has read. */
  data: string | undefined
}

/** Ends with the stream. Throws ClientError: UNREACHABLE where it breaks off or is silent too long, BAD_ANSWER for an event without an end. */
export async function* serverEvents(body: ReadableStream<Uint8Array>, idleMs: number): AsyncGenerator<ServerEvent> {
  const reader = body.getReader()
  const decoder = new TextDecoder()
  let text = ''
  let id = ''
  try {
    for (;;) {
      const { done, value } = await readWithin(reader, idleMs)
      if (done) return
      text += decoder.decode(value, { stream: true })
      for (let end = text.search(BLANK_LINE); end !== -1; end = text.search(BLANK_LINE)) {
        const lines = text.slice(0, end).split(LINE_END)
        text = text.slice(end).replace(BLANK_LINE, '')
        id = lastField(lines, 'id') ?? id
        yield { id, data: dataOf(lines) }
      }
      if (text.length > EVENT_CHARACTERS_MAX) {
        throw new ClientError(
          'BAD_ANSWER',
          `an event has more than ${EVENT_CHARACTERS_MAX} characters: check that it is a Quorate node`,
        )
      }
    }
  } finally {
    await reader.cancel().catch(() => undefined)
  }
}

async function readWithin(reader: ReadableStreamDefaultReader<Uint8Array>, idleMs: number) {
  let timer: ReturnType<typeof setTimeout> | undefined
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`silent for ${idleMs} ms`)), idleMs)
  })
  try {
    return await Promise.race([reader.read(), silence])
  } catch (cause) {
    throw new ClientError('UNREACHABLE', `the event stream broke off (${(cause as Error).message})`, { cause })
  } finally {
    clearTimeout(timer)
  }
}

const LINE_END = /\r\n|\n|\r/
const BLANK_LINE = /(?:\r\n|\n){2}/

const fieldsOf = (lines: readonly string[], name: string): string[] =>
  lines.filter((line) => line.startsWith(`${name}:`)).map((line) => line.slice(name.length + 1).replace(/^ /, ''))

const lastField = (lines: readonly string[], name: string): string | undefined => fieldsOf(lines, name).at(-1)

function dataOf(lines: readonly string[]): string | undefined {
  const found = fieldsOf(lines, 'data')
  return found.length === 0 ? undefined : found.join('\n')
}
