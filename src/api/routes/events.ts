// GET /v1/events: Server-Sent Events (WHATWG HTML, section 9.2) of what is certified.
import type { FastifyReply, FastifyRequest } from 'fastify'
import { refusePruned } from '../blocks.ts'
import { type ApiContext, awaitAskedHeight, type Routes } from '../context.ts'
import { parsePlace } from '../numbers.ts'
import { openToAllOrigins } from '../origins.ts'
import { Problem } from '../problem.ts'
import { answers, parameters, READ_CODES, readQuery } from '../schemas.ts'
import { runStream } from '../stream.ts'

interface EventsRequest {
  Querystring: { contract?: string; name?: string; from?: number }
}

export const eventRoutes: Routes = (app, context) => {
  app.get<EventsRequest>('/v1/events', {
    exposeHeadRoute: false,
    preHandler: awaitAskedHeight(context),
    schema: {
      summary: 'Certified blocks, transactions and contract events, in order, as Server-Sent Events',
      description:
        'Each has `id: height-position`, where position counts in the height’s unfiltered sequence: the block is 0, then follows each ' +
        'transaction (`transaction`) with its contract events (`event`). Begins at `from`, or after the `Last-Event-ID` header, which ' +
        'wins; without both, after the latest. `contract` keeps transactions to that contract and its events, `name` keeps contract ' +
        'events of that name. An id may also come alone, without data: it only marks how far the stream has read.',
      querystring: readQuery({
        contract: parameters.contractName,
        name: { type: 'string', minLength: 1, maxLength: 64 },
        from: parameters.height,
      }),
      headers: { type: 'object', properties: { 'last-event-id': { type: 'string', maxLength: 40 } } },
      response: answers(
        { 200: { description: 'The stream.', content: { 'text/event-stream': { schema: { type: 'string' } } } } },
        ...READ_CODES,
        'PRUNED',
        'CLOSING',
      ),
    },
    handler: (request, reply) => streamEvents(context, request, reply),
  })
}

async function streamEvents(context: ApiContext, request: FastifyRequest<EventsRequest>, reply: FastifyReply) {
  const { node, limits, gates, feed, closing } = context
  const { contract, name } = request.query
  const from = startOf(context, request)
  refusePruned(node.ledger, from.height)
  if (closing.aborted) throw new Problem('CLOSING', 'The node is stopping: ask another one.')
  const leave = gates.streams.enter()
  reply.hijack()
  const response = reply.raw
  openToAllOrigins((key, value) => response.setHeader(key, value))
  response.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    // Proxies that gather answers would hold events back.
    'x-accel-buffering': 'no',
  })
  response.flushHeaders()
  const gone = new AbortController()
  response.once('close', () => gone.abort())
  try {
    await runStream(response, {
      feed,
      certifiedHeight: () => node.ledger.certifiedHeight(),
      from,
      filter: { contract, name },
      heartbeatMs: limits.heartbeatMs,
      stallMs: limits.streamStallMs,
      signal: AbortSignal.any([closing, gone.signal]),
    })
    response.end()
  } catch (error) {
    // The headers are sent: all that can be done is to break off, and the client resumes from its last id.
    request.log.error({ err: error }, 'an event stream broke off')
    response.destroy()
  } finally {
    leave()
    // A reader that took nothing for too long would also leave the end unread.
    setImmediate(() => response.writableFinished || response.destroy())
  }
}

function startOf({ node }: ApiContext, { headers, query }: FastifyRequest<EventsRequest>) {
  const lastId = headers['last-event-id']
  if (typeof lastId === 'string' && lastId !== '') {
    const place = parsePlace(lastId)
    if (place !== undefined) return { height: place.height, position: place.part + 1 }
    throw new Problem(
      'BAD_PARAMETER',
      `Last-Event-ID ${JSON.stringify(lastId)} is not height-position: send the last id received.`,
    )
  }
  if (query.from !== undefined) return { height: query.from, position: 0 }
  // Past everything of the latest height: the stream begins with the next, and knows the last id before it.
  return { height: node.ledger.certifiedHeight(), position: Number.MAX_SAFE_INTEGER }
}
