// The HTTP server: what every request meets before and after its route.
import { finished } from 'node:stream/promises'
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import fastify, { type FastifyBaseLogger, type FastifyInstance, type FastifyRequest, LogController } from 'fastify'
import { type ApiContext, type Control, createGates } from './context.ts'
import { createFeed } from './feed.ts'
import { API_LIMITS, type ApiLimits, KEY_SEGMENT_MAX } from './limits.ts'
import { watchMethods } from './methods.ts'
import { convertQuery } from './numbers.ts'
import { isOpenToAll, openToAllOrigins } from './origins.ts'
import type { ApiNode } from './port.ts'
import { documentOfError, Problem, problemDocument, sendProblem } from './problem.ts'
import { answerBrokenRequest } from './raw.ts'
import { accountRoutes } from './routes/accounts.ts'
import { backupRoutes } from './routes/backups.ts'
import { blockRoutes } from './routes/blocks.ts'
import { contractRoutes } from './routes/contracts.ts'
import { eventRoutes } from './routes/events.ts'
import { evidenceRoutes } from './routes/evidence.ts'
import { healthRoutes } from './routes/health.ts'
import { networkRoutes } from './routes/network.ts'
import { type Page, pageRoutes } from './routes/pages.ts'
import { proofRoutes } from './routes/proofs.ts'
import { rehearsalRoutes } from './routes/rehearsals.ts'
import { replayRoutes } from './routes/replay.ts'
import { stateRoutes } from './routes/state.ts'
import { submitRoutes } from './routes/submit.ts'
import { transactionRoutes } from './routes/transactions.ts'

export interface ApiOptions {
  node: ApiNode
  host: string
  /** 0 takes a free one. */
  port: number
  logger?: FastifyBaseLogger
  limits?: Partial<ApiLimits>
  /** Static files served beside the API, such as the explorer's. */
  pages?: Page[]
  control?: Control | undefined
}

export interface Api {
  url: string
  /** Ends streams and waits, then the server. */
  close(): Promise<void>
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Gives back what the body takes of the budget, before the response is sent. */
    releaseBody(): void
  }
}

const ROUTES = [
  healthRoutes,
  networkRoutes,
  submitRoutes,
  transactionRoutes,
  replayRoutes,
  blockRoutes,
  accountRoutes,
  contractRoutes,
  rehearsalRoutes,
  stateRoutes,
  evidenceRoutes,
  eventRoutes,
  proofRoutes,
  backupRoutes,
]

export async function createApi({
  node,
  host,
  port,
  logger,
  limits: given,
  pages = [],
  control,
}: ApiOptions): Promise<Api> {
  const limits = { ...API_LIMITS, ...given }
  const closing = new AbortController()
  const feed = createFeed(node)
  const context: ApiContext = { node, limits, gates: createGates(limits), feed, control, closing: closing.signal }
  const app = createServer(limits, logger)
  try {
    addHooks(app, context)
    const refuseOtherMethods = watchMethods(app)
    await describe(app, node)
    for (const addRoutes of ROUTES) addRoutes(app, context)
    pageRoutes(app, pages)
    await app.after()
    refuseOtherMethods()
    await app.listen({ host, port })
  } catch (error) {
    feed.close()
    await app.close()
    throw error
  }
  return {
    url: urlOf(app, host),
    async close() {
      closing.abort()
      feed.close()
      await app.close()
    },
  }
}

const REQUEST_TIMEOUT_MS = 30_000

function createServer(limits: ApiLimits, logger: FastifyBaseLogger | undefined): FastifyInstance {
  const app = fastify({
    ...(logger === undefined ? { logger: false } : { loggerInstance: logger }),
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: limits.bodyBytesMax,
    // For the request to arrive whole: a client that dribbles does not hold its place.
    requestTimeout: REQUEST_TIMEOUT_MS,
    forceCloseConnections: true,
    routerOptions: { maxParamLength: KEY_SEGMENT_MAX },
    // What is checked is what came: nothing is converted, dropped or filled in but defaults.
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false, allErrors: false, strict: false } },
    clientErrorHandler: answerBrokenRequest,
    frameworkErrors: (error, _request, reply) => {
      sendProblem(reply, documentOfError(error) ?? problemDocument('INTERNAL', INTERNAL_DETAIL))
    },
  })
  // The framework takes plain text as well, which a browser sends anywhere without asking first (origins.ts).
  app.removeContentTypeParser('text/plain')
  app.server.maxConnections = limits.connectionsMax
  // Schemas of answers are documentation; an answer is written as it is.
  app.setSerializerCompiler(() => (answer) => JSON.stringify(answer))
  return app as unknown as FastifyInstance
}

function addHooks(app: FastifyInstance, { gates, limits }: ApiContext): void {
  app.decorateRequest('releaseBody', () => undefined)
  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-content-type-options', 'nosniff')
    reply.header('cache-control', 'no-store')
    if (isOpenToAll(request.method, request.routeOptions.url))
      openToAllOrigins((name, value) => reply.header(name, value))
    await refuseLargeBody(request, limits.bodyBytesMax)
    const bytes = bodyBytes(request, limits.bodyBytesMax)
    if (bytes === 0) return
    request.releaseBody = gates.bodies.enter(bytes)
    reply.raw.once('close', () => request.releaseBody())
  })
  app.addHook('preValidation', async ({ query, routeOptions }) => {
    const { properties } = (routeOptions.schema?.querystring ?? {}) as {
      properties?: Record<string, { type?: unknown }>
    }
    if (properties !== undefined) convertQuery(query as Record<string, unknown>, properties)
  })
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?', 1)[0]
    return sendProblem(reply, problemDocument('NOT_FOUND', `There is no route ${path}: /openapi.json lists them all.`))
  })
  app.setErrorHandler((error, request, reply) => {
    const document = documentOfError(error)
    if (document !== undefined && document.code !== 'LEDGER_DAMAGED') return sendProblem(reply, document)
    request.log.error({ err: error, url: request.url }, 'a request failed')
    return sendProblem(reply, document ?? problemDocument('INTERNAL', INTERNAL_DETAIL))
  })
}
const INTERNAL_DETAIL = 'The node failed while it answered, and its log says why: ask another node, or its operator.'

/** Bodies up to this size are read to their end, and thrown away, before they are refused. */
const DRAIN_BYTES_MAX = 64 * 1024 * 1024

/**
 * Refuses a body by its declared length. A client still sending when the connection closes would see a broken pipe instead of the
 * answer, so what is not absurdly large is let through to nowhere first.
 */
async function refuseLargeBody({ raw, headers }: FastifyRequest, most: number): Promise<void> {
  const declared = Number(headers['content-length'] ?? 0)
  if (!(declared > most)) return
  if (declared <= DRAIN_BYTES_MAX) await finished(raw.resume(), { writable: false }).catch(() => undefined)
  throw new Problem('TOO_LARGE', `The body has ${declared} bytes, this node takes ${most}: send less at a time.`)
}

/** What the body may take. Without a length it may take the most; one over the limit is refused when it is about to be read. */
function bodyBytes({ headers }: FastifyRequest, most: number): number {
  if (headers['transfer-encoding'] !== undefined) return most
  return Math.min(Number(headers['content-length'] ?? 0) || 0, most)
}

async function describe(app: FastifyInstance, node: ApiNode): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Quorate node',
        version: node.status().node.version,
        description:
          'What one node of the network answers. Errors are problem documents (RFC 9457) with a stable `code`.',
      },
    },
  })
  await app.register(swaggerUi, { routePrefix: '/docs', staticCSP: true })
  app.get('/openapi.json', { schema: { hide: true }, handler: async () => app.swagger() })
}

function urlOf(app: FastifyInstance, host: string): string {
  const address = app.server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`
}
