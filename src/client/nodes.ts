// Requests to a network of nodes: the next node where one fails, and never backwards in time. Every read of the ledger carries `minHeight`, the
// highest certified height seen, so that a node which lags waits or refuses instead of answering from the past.

import { ClientError } from '../light/error.ts'
import { createEndpoints, type Endpoint, type EndpointsOptions } from './endpoints.ts'
import { fetchJson, fetchStream, type HttpRequest } from './http.ts'

export type Query = Record<string, string | number | boolean | undefined>

/** What is made of an answer; throws ClientError where it is not to be believed. */
export type Check<T> = (answer: unknown) => T | Promise<T>

export interface NodeRequest extends HttpRequest {
  query?: Query
}

const REQUEST_TIMEOUT_MS = 10_000

export interface Nodes {
  /** What is one node's own: its status, its peers, the genesis document. */
  look(path: string, query?: Query): Promise<unknown>
  /** By one node's word. */
  certifiedHeight(): Promise<number>
  /** A dry run: JSON text to one node, at whatever height it is. */
  post(path: string, body: string): Promise<unknown>
  /** Reads of the ledger, at or above every height seen so far. */
  read(path: string, query?: Query): Promise<unknown>
  /** As `read`, for the routes that take JSON text. */
  ask(path: string, body: string, query?: Query): Promise<unknown>
  /**
   * As `read`, until an answer passes `check`: a node whose answer is refused as BAD_PROOF is set aside and another is asked, and so is
   * one after a node that refuses. A problem document with `answerCode` is an answer too.
   */
  proven<T>(path: string, query: Query, check: Check<T>, answerCode?: string): Promise<T>
  /** One attempt on one node: for what must not be repeated blindly. */
  attempt(endpoint: Endpoint, request: NodeRequest): Promise<unknown>
  attempt<T>(endpoint: Endpoint, request: NodeRequest, check: Check<T>): Promise<T>
  /** A body that comes for as long as it does: events. What goes wrong with it later is the caller's. */
  stream(
    endpoint: Endpoint,
    request: Pick<NodeRequest, 'path' | 'query' | 'signal'>,
  ): Promise<ReadableStream<Uint8Array>>
  order(sender?: string): Endpoint[]
  /** Takes note of a certified height, from whatever source. */
  sawHeight(height: unknown): void
  readonly minHeight: number
}

export interface NodesOptions extends EndpointsOptions {
  endpoints: readonly string[]
  minHeight?: number
  timeoutMs?: number
}

export function createNodes(options: NodesOptions): Nodes {
  const endpoints = createEndpoints(options.endpoints, options)
  const timeoutMs = options.timeoutMs ?? REQUEST_TIMEOUT_MS
  let minHeight = options.minHeight ?? 0

  async function attempt<T>(
    endpoint: Endpoint,
    { query = {}, ...request }: NodeRequest,
    check?: Check<T>,
  ): Promise<unknown> {
    endpoint.open++
    try {
      const answer = await fetchJson(endpoint.url, { ...request, path: request.path + queryText(query) })
      const checked = check === undefined ? answer : await check(answer)
      endpoints.onSuccess(endpoint)
      return checked
    } catch (error) {
      if (isNodesFault(error)) endpoints.onFailure(endpoint)
      throw error
    } finally {
      endpoint.open--
    }
  }

  async function anyNode<T>(request: NodeRequest, check?: Check<T>): Promise<unknown> {
    let last: unknown
    let refusal: unknown
    for (const endpoint of endpoints.order()) {
      try {
        return await attempt(endpoint, request, check)
      } catch (error) {
        if (!(error instanceof ClientError)) throw error
        if (isNodesFault(error)) last = error
        // Nothing proves a refusal: where an answer would be proven, one node's is not the end.
        else if (check === undefined) throw error
        else refusal ??= error
      }
    }
    throw refusal ?? last
  }

  /** Height 0 is seen by everyone and needs no asking. */
  const withHeight = (path: string, query: Query): string =>
    path + queryText({ ...query, minHeight: Math.max(minHeight, Number(query.minHeight ?? 0)) || undefined })

  return {
    look: (path, query = {}) => anyNode({ path: path + queryText(query), timeoutMs }),
    certifiedHeight: () => anyNode({ path: '/v1/status', timeoutMs }, heightOf) as Promise<number>,
    post: (path, body) => anyNode({ method: 'POST', path, body, timeoutMs }),
    read: (path, query = {}) => anyNode({ path: withHeight(path, query), timeoutMs }),
    ask: (path, body, query = {}) => anyNode({ method: 'POST', path: withHeight(path, query), body, timeoutMs }),
    proven: <T>(path: string, query: Query, check: Check<T>, answerCode?: string) =>
      anyNode({ path: withHeight(path, query), timeoutMs, answerCode }, check) as Promise<T>,
    attempt: attempt as Nodes['attempt'],
    async stream(endpoint, { path, query = {}, signal }) {
      try {
        return await fetchStream(endpoint.url, { path: path + queryText(query), timeoutMs, signal })
      } catch (error) {
        if (isNodesFault(error)) endpoints.onFailure(endpoint)
        throw error
      }
    },
    order: endpoints.order,
    sawHeight(height) {
      if (Number.isSafeInteger(height)) minHeight = Math.max(minHeight, height as number)
    },
    get minHeight() {
      return minHeight
    },
  }
}

function heightOf(status: unknown): number {
  const { certifiedHeight } = status as { certifiedHeight?: unknown }
  if (Number.isSafeInteger(certifiedHeight)) return certifiedHeight as number
  throw new ClientError('BAD_ANSWER', 'its status has no certified height: check that it is a Quorate node')
}

/** Whether another node may do better: this one is gone, overloaded, behind or broken. What it says of the request itself is final. */
export function isNodesFault(error: unknown): boolean {
  if (!(error instanceof ClientError)) return false
  return error.status === undefined ? NODES_FAULTS.has(error.code) : error.status >= 500 || error.status === 429
}

const NODES_FAULTS = new Set(['UNREACHABLE', 'BAD_ANSWER', 'BAD_PROOF'])

export function queryText(query: Query): string {
  const pairs = Object.entries(query).filter(([, value]) => value !== undefined)
  return pairs.length === 0 ? '' : `?${new URLSearchParams(pairs.map(([name, value]) => [name, String(value)]))}`
}
