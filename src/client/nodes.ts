// Requests to a network of nodes: the next node where one fails, and never backwards in time. Every read of the ledger carries `minHeight`, the
// highest certified height seen, so that a node which lags waits or refuses instead of answering from the past.

import { ClientError } from '../light/error.ts'
import { createEndpoints, type Endpoint, type EndpointsOptions } from './endpoints.ts'
import { fetchJson, type HttpRequest } from './http.ts'

export type Query = Record<string, string | number | boolean | undefined>

const REQUEST_TIMEOUT_MS = 10_000

export interface Nodes {
  /** What is one node's own: its status, its peers, the genesis document. */
  look(path: string, query?: Query): Promise<unknown>
  /** A dry run: JSON text to one node, at whatever height it is. */
  post(path: string, body: string): Promise<unknown>
  /** Reads of the ledger, at or above every height seen so far. */
  read(path: string, query?: Query): Promise<unknown>
  /** As `read`, for the routes that take JSON text. */
  ask(path: string, body: string, query?: Query): Promise<unknown>
  /** One attempt on one node: for what must not be repeated blindly. */
  attempt(endpoint: Endpoint, request: HttpRequest): Promise<unknown>
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

  async function attempt(endpoint: Endpoint, request: HttpRequest): Promise<unknown> {
    endpoint.open++
    try {
      const answer = await fetchJson(endpoint.url, request)
      endpoints.onSuccess(endpoint)
      return answer
    } catch (error) {
      if (isNodesFault(error)) endpoints.onFailure(endpoint)
      throw error
    } finally {
      endpoint.open--
    }
  }

  async function anyNode(request: HttpRequest): Promise<unknown> {
    let last: unknown
    for (const endpoint of endpoints.order()) {
      try {
        return await attempt(endpoint, request)
      } catch (error) {
        if (!isNodesFault(error)) throw error
        last = error
      }
    }
    throw last
  }

  /** Height 0 is seen by everyone and needs no asking. */
  const withHeight = (path: string, query: Query): string =>
    path + queryText({ ...query, minHeight: minHeight === 0 ? undefined : minHeight })

  return {
    look: (path, query = {}) => anyNode({ path: path + queryText(query), timeoutMs }),
    post: (path, body) => anyNode({ method: 'POST', path, body, timeoutMs }),
    read: (path, query = {}) => anyNode({ path: withHeight(path, query), timeoutMs }),
    ask: (path, body, query = {}) => anyNode({ method: 'POST', path: withHeight(path, query), body, timeoutMs }),
    attempt,
    order: endpoints.order,
    sawHeight(height) {
      if (Number.isSafeInteger(height)) minHeight = Math.max(minHeight, height as number)
    },
    get minHeight() {
      return minHeight
    },
  }
}

/** Whether another node may do better: this one is gone, overloaded, behind or broken. What it says of the request itself is final. */
export function isNodesFault(error: unknown): boolean {
  if (!(error instanceof ClientError)) return false
  return error.status === undefined
    ? error.code === 'UNREACHABLE' || error.code === 'BAD_ANSWER'
    : error.status >= 500 || error.status === 429
}

export function queryText(query: Query): string {
  const pairs = Object.entries(query).filter(([, value]) => value !== undefined)
  return pairs.length === 0 ? '' : `?${new URLSearchParams(pairs.map(([name, value]) => [name, String(value)]))}`
}
