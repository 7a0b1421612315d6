// Requests: one stream each, one frame there and one back, closed by both sides (a stream left half open counts against the limit of
// the connection for good). The first byte of an answer says how it went.
import type { Connection, Stream } from '@libp2p/interface'
import { encodeFrame, frameReader, pacedWriter } from './framing.ts'
import type { Links } from './links.ts'
import type { Peer, Peers } from './peers.ts'
import { type NetworkLimits, type NetworkLogger, type RequestOptions, reasonOf } from './port.ts'
import type { Swarm } from './swarm.ts'

const ANSWERED = 0
const BUSY = 1
const FAILED = 2
/** How long an asker may take to send its request, and then to take its answer. */
const QUESTION_TIMEOUT_MS = 5000
const ANSWER_TIMEOUT_MS = 30_000
const PIECE_BYTES = 64 * 1024

export type RequestErrorCode =
  | 'NOT_CONNECTED'
  | 'TIMEOUT'
  | 'ABORTED'
  /** The request or the answer is above its limit. */
  | 'TOO_LARGE'
  /** Too many requests are under way, here or there. */
  | 'BUSY'
  /** The other side tried and failed. */
  | 'FAILED'
  | 'MALFORMED'
  /** The stream or the connection broke. */
  | 'CLOSED'

export class RequestError extends Error {
  readonly code: RequestErrorCode
  constructor(code: RequestErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'RequestError'
    this.code = code
  }
}

export interface RequestsOptions {
  swarm: Swarm
  protocol: string
  limits: NetworkLimits
  links: Links
  peers: Peers
  logger: NetworkLogger
  onRequest(peer: Peer, payload: Uint8Array): Promise<Uint8Array>
  onOffence(peerId: string, reason: string): void
}

export interface Requests {
  start(): Promise<void>
  stop(): void
  request(peerId: string, payload: Uint8Array, options: RequestOptions): Promise<Uint8Array>
}

export function createRequests(options: RequestsOptions): Requests {
  const { limits, links, peers } = options
  const asking = new Map<string, number>()
  const serving = new Map<string, number>()
  const open = new Set<Stream>()
  let servingTotal = 0
  let servingBytes = 0

  async function request(peerId: string, payload: Uint8Array, asked: RequestOptions): Promise<Uint8Array> {
    if (payload.length > limits.requestBytes) {
      throw new RequestError(
        'TOO_LARGE',
        `A request may have ${limits.requestBytes} bytes, this one has ${payload.length}.`,
      )
    }
    const connection = [...(peers.get(peerId)?.links ?? [])].findLast((link) => !link.isDown)?.connection
    if (connection === undefined)
      throw new RequestError('NOT_CONNECTED', `Peer ${peerId} is not connected; ask another one.`)
    if (asked.signal?.aborted)
      throw new RequestError('ABORTED', 'The request was given up before it was sent.', asked.signal.reason)
    const underWay = asking.get(peerId) ?? 0
    if (underWay >= limits.askingPerPeer) {
      throw new RequestError(
        'BUSY',
        `${underWay} requests to peer ${peerId} are under way; wait for one or ask another peer.`,
      )
    }
    asking.set(peerId, underWay + 1)
    const timer = new AbortController()
    const timeout = setTimeout(() => timer.abort(), asked.timeoutMs)
    const signal = asked.signal === undefined ? timer.signal : AbortSignal.any([timer.signal, asked.signal])
    try {
      return await ask(
        connection,
        payload,
        Math.min(asked.maxBytes ?? limits.responseBytes, limits.responseBytes),
        signal,
      )
    } catch (error) {
      if (timer.signal.aborted)
        throw new RequestError('TIMEOUT', `Peer ${peerId} did not answer within ${asked.timeoutMs} ms.`, error)
      if (asked.signal?.aborted) throw new RequestError('ABORTED', 'The request was given up.', asked.signal.reason)
      if (error instanceof RequestError) throw error
      throw new RequestError('CLOSED', `The connection to peer ${peerId} broke: ${reasonOf(error)}`, error)
    } finally {
      clearTimeout(timeout)
      count(asking, peerId, -1)
    }
  }

  async function ask(
    connection: Connection,
    payload: Uint8Array,
    bytesMax: number,
    signal: AbortSignal,
  ): Promise<Uint8Array> {
    const stream = await connection.newStream(options.protocol, { signal })
    open.add(stream)
    try {
      const answer = readOne(stream, bytesMax + 1, connection, signal)
      // Awaited below; marked here so that a failure to send does not leave it unhandled.
      answer.catch(() => {})
      await writeOne(stream, encodeFrame(Uint8Array.of(ANSWERED), payload), signal)
      const frame = await answer
      if (frame[0] === ANSWERED) return frame.subarray(1)
      if (frame[0] === BUSY)
        throw new RequestError('BUSY', 'The peer answers too many requests already; ask another one, or later.')
      if (frame[0] === FAILED)
        throw new RequestError('FAILED', 'The peer could not answer the request; ask another one.')
      throw new RequestError('MALFORMED', 'The answer does not begin with a known status.')
    } catch (error) {
      stream.abort(error instanceof Error ? error : new Error(String(error)))
      throw error
    } finally {
      open.delete(stream)
    }
  }

  async function serve(stream: Stream, connection: Connection): Promise<void> {
    const peerId = connection.remotePeer.toString()
    open.add(stream)
    try {
      const peer = peers.get(peerId)
      if (peer === undefined) throw new Error('the peer has not said hello')
      if (mayServe(peer)) await answer(stream, connection, peer)
      else await writeOne(stream, encodeFrame(Uint8Array.of(BUSY)), AbortSignal.timeout(QUESTION_TIMEOUT_MS))
    } catch (error) {
      stream.abort(error instanceof Error ? error : new Error(String(error)))
      if (error instanceof RequestError) options.onOffence(peerId, `request: ${error.message}`)
    } finally {
      open.delete(stream)
    }
  }

  /** Half of the room is kept for validators, so that strangers cannot keep them from catching up. */
  function mayServe(peer: Peer): boolean {
    const total = peers.isCurrentValidator(peer) ? limits.servingTotal : limits.servingTotal / 2
    return servingTotal < total && (serving.get(peer.info.id) ?? 0) < limits.servingPerPeer
  }

  async function answer(stream: Stream, connection: Connection, peer: Peer): Promise<void> {
    count(serving, peer.info.id, 1)
    servingTotal++
    let held = 0
    try {
      const asked = AbortSignal.timeout(QUESTION_TIMEOUT_MS)
      const question = await readOne(stream, limits.requestBytes + 1, connection, asked)
      let frame = await answerFrame(peer, question.subarray(1))
      if (servingBytes + frame.length > limits.servingBytes) frame = encodeFrame(Uint8Array.of(BUSY))
      held = frame.length
      servingBytes += held
      await writeOne(stream, frame, AbortSignal.timeout(ANSWER_TIMEOUT_MS))
    } finally {
      servingBytes -= held
      servingTotal--
      count(serving, peer.info.id, -1)
    }
  }

  async function answerFrame(peer: Peer, payload: Uint8Array): Promise<Uint8Array> {
    try {
      const result = await within(ANSWER_TIMEOUT_MS, options.onRequest(peer, payload))
      if (result.length <= limits.responseBytes) return encodeFrame(Uint8Array.of(ANSWERED), result)
      options.logger.warn({ peer: peer.info.id, bytes: result.length }, 'An answer is above the limit and is not sent.')
    } catch (error) {
      options.logger.debug({ peer: peer.info.id, reason: reasonOf(error) }, 'A request was not answered.')
    }
    return encodeFrame(Uint8Array.of(FAILED))
  }

  /** The one frame that the stream carries. */
  function readOne(stream: Stream, bytesMax: number, connection: Connection, signal: AbortSignal): Promise<Uint8Array> {
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>()
    const read = frameReader(bytesMax)
    stream.addEventListener('message', (event) => {
      const link = links.of(connection)
      if (link !== undefined) links.heard(link)
      try {
        for (const frame of read(event.data)) resolve(frame)
      } catch (error) {
        const code = (error as Error).name === 'InvalidMessageLengthError' ? 'TOO_LARGE' : 'MALFORMED'
        reject(new RequestError(code, `The frame is empty, or larger than ${bytesMax - 1} bytes.`, error))
      }
    })
    stream.addEventListener('end', () => reject(new Error('the stream ended before a whole frame')))
    stream.addEventListener('close', () => reject(new Error('the stream was closed')))
    signal.addEventListener('abort', () => reject(new Error('it took too long')), { once: true })
    return promise
  }

  async function start(): Promise<void> {
    const onStream = (stream: Stream, connection: Connection): void => {
      const link = links.of(connection)
      if (link === undefined) {
        stream.abort(new Error('the connection is closed'))
      } else if (link.ready) {
        void serve(stream, connection)
      } else {
        stream.pause()
        link.waiting.push(() => {
          void serve(stream, connection)
          if (stream.status === 'open') stream.resume()
        })
      }
    }
    await options.swarm.handle(options.protocol, onStream, { maxInboundStreams: 32, maxOutboundStreams: 32 })
  }

  return {
    start,
    stop() {
      for (const stream of open) stream.abort(new Error('this node stops'))
    },
    request,
  }
}

function count(counts: Map<string, number>, key: string, change: number): void {
  const value = (counts.get(key) ?? 0) + change
  if (value <= 0) counts.delete(key)
  else counts.set(key, value)
}

/** A handler that never ends must not keep its place for ever. */
async function within<T>(timeoutMs: number, work: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new Error(`the handler took longer than ${timeoutMs} ms`)), timeoutMs)
  timer.unref()
  try {
    return await Promise.race([work, promise])
  } finally {
    clearTimeout(timer)
  }
}

/** Sends one frame at the pace of its reader and closes this side of the stream. */
async function writeOne(stream: Stream, frame: Uint8Array, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  let offset = 0
  const writer = pacedWriter(stream, () => {
    if (offset >= frame.length) {
      resolve()
      return undefined
    }
    const piece = frame.subarray(offset, offset + PIECE_BYTES)
    offset += piece.length
    return piece
  })
  const onAbort = () => reject(new Error('it took too long'))
  const onClose = () => reject(new Error('the stream was closed'))
  signal.addEventListener('abort', onAbort, { once: true })
  stream.addEventListener('close', onClose)
  writer.wake()
  try {
    await promise
    await stream.close({ signal })
  } finally {
    signal.removeEventListener('abort', onAbort)
    stream.removeEventListener('close', onClose)
  }
}
