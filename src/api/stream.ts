// One event stream: a reader that walks the feed at its client's pace.
//
// The walk is a plain loop over (height, position), the same for history and for what is new, so there is no switch from one to the
// other at which something could be lost or repeated. It writes one chunk at a time and waits for the socket to take it: a slow client
// slows its own loop, and what is kept for it is one chunk and the socket's buffer, however far behind it is.
import type { ServerResponse } from 'node:http'
import type { EventFeed, FeedItem } from './feed.ts'

export interface StreamFilter {
  contract?: string
  name?: string
}

export interface StreamOptions {
  feed: EventFeed
  certifiedHeight: () => number
  /** The first place to send. */
  from: { height: number; position: number }
  filter: StreamFilter
  heartbeatMs: number
  stallMs: number
  signal: AbortSignal
}

/** Text is gathered up to this length before it is written. */
const CHUNK_CHARACTERS = 16 * 1024

/** Runs until the client leaves, the signal aborts, or this node has no block to go on with: the client then resumes elsewhere. */
export async function runStream(response: ServerResponse, options: StreamOptions): Promise<void> {
  const { feed, from, filter, heartbeatMs, signal } = options
  let { height, position } = from
  let lastId: string | undefined
  let isSilent = true
  const isOpen = () => !signal.aborted && !response.destroyed
  while (isOpen()) {
    if (height > options.certifiedHeight()) {
      // Said at once when a stream has caught up, so that a client knows it is live and has an id to resume from.
      if (isSilent && !(await write(response, heartbeat(lastId), options))) return
      await feed.awaitAbove(height - 1, heartbeatMs, signal)
      isSilent = height > options.certifiedHeight()
      continue
    }
    const items = await feed.sequence(height)
    if (items === undefined) return
    for (const chunk of chunksOf(items, height, position, filter)) {
      if (!isOpen() || !(await write(response, chunk, options))) return
    }
    lastId = `${height}-${items.length - 1}`
    height++
    position = 0
  }
}

function* chunksOf(items: FeedItem[], height: number, from: number, filter: StreamFilter): Generator<string> {
  let chunk = ''
  for (let position = from; position < items.length; position++) {
    const item = items[position]!
    if (!passes(item, filter)) continue
    chunk += `id: ${height}-${position}\nevent: ${item.type}\ndata: ${item.json}\n\n`
    if (chunk.length < CHUNK_CHARACTERS) continue
    yield chunk
    chunk = ''
  }
  if (chunk !== '') yield chunk
}

/** Each filter keeps only what has such a field: blocks have neither, transactions have no name. */
export function passes(item: FeedItem, { contract, name }: StreamFilter): boolean {
  if (contract !== undefined && item.contract !== contract) return false
  return name === undefined || item.name === name
}

/**
 * A comment, and an id without data: that is no event, but a client that reconnects sends it, and so a filtered stream that has been
 * silent for long does not search all of it again.
 */
const heartbeat = (lastId: string | undefined): string => `: alive\n${lastId === undefined ? '' : `id: ${lastId}\n`}\n`

/** False when the client is gone, or has left a full buffer unread for too long. */
function write(response: ServerResponse, text: string, { stallMs, signal }: StreamOptions): Promise<boolean> {
  if (response.write(text)) return Promise.resolve(true)
  return new Promise((resolve) => {
    const finish = (isTaken: boolean) => {
      clearTimeout(timer)
      response.removeListener('drain', onDrain)
      response.removeListener('close', onEnd)
      signal.removeEventListener('abort', onEnd)
      resolve(isTaken)
    }
    const onDrain = () => finish(true)
    const onEnd = () => finish(false)
    const timer = setTimeout(onEnd, stallMs)
    response.once('drain', onDrain)
    response.once('close', onEnd)
    signal.addEventListener('abort', onEnd, { once: true })
  })
}
