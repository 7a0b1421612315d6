// Which node to ask next. A node that fails is set aside and tried again with back-off; when all are, the one due first is asked.
import { sha256 } from '../crypto/hash.ts'
import { ClientError } from '../light/error.ts'
import { toHex } from '../types/hex.ts'

export type Balance = 'round-robin' | 'random' | 'least-connections' | 'consistent-hash'
export const BALANCES: readonly Balance[] = ['round-robin', 'random', 'least-connections', 'consistent-hash']

const ASIDE_FIRST_MS = 250
const ASIDE_MAX_MS = 30_000
const ENDPOINTS_MAX = 1_000

export interface Endpoint {
  readonly url: string
  /** Requests under way. */
  open: number
  failures: number
  /** Set aside until then, in the clock's milliseconds. */
  asideUntil: number
}

export interface Endpoints {
  readonly all: readonly Endpoint[]
  /** Every endpoint once, the one to ask first in front. `sender` decides under `consistent-hash`. */
  order(sender?: string): Endpoint[]
  onSuccess(endpoint: Endpoint): void
  onFailure(endpoint: Endpoint): void
}

export interface EndpointsOptions {
  balance?: Balance
  now?: () => number
  random?: () => number
}

/** Throws ClientError for URLs that are none. */
export function createEndpoints(urls: readonly string[], options: EndpointsOptions = {}): Endpoints {
  const { balance = 'round-robin', now = Date.now, random = Math.random } = options
  if (!BALANCES.includes(balance)) throw new RangeError(`balance: expected ${BALANCES.join(', ')}, got ${balance}`)
  if (urls.length === 0 || urls.length > ENDPOINTS_MAX) {
    throw new RangeError(`endpoints: expected 1 to ${ENDPOINTS_MAX} URLs, got ${urls.length}`)
  }
  const all: Endpoint[] = urls.map((url) => ({ url: baseUrl(url), open: 0, failures: 0, asideUntil: 0 }))
  let turn = 0

  function balanced(sender: string): Endpoint[] {
    switch (balance) {
      case 'round-robin':
        return rotated(all, turn++ % all.length)
      case 'random':
        return rotated(all, Math.floor(random() * all.length))
      case 'least-connections':
        return rotated(all, turn++ % all.length).sort((a, b) => a.open - b.open)
      case 'consistent-hash':
        return ranked(all, sender)
    }
  }

  function order(sender = ''): Endpoint[] {
    const at = now()
    const candidates = balanced(sender)
    const healthy = candidates.filter((endpoint) => endpoint.asideUntil <= at)
    const aside = candidates.filter((endpoint) => endpoint.asideUntil > at)
    return [...healthy, ...aside.sort((a, b) => a.asideUntil - b.asideUntil)]
  }

  return {
    all,
    order,
    onSuccess(endpoint) {
      endpoint.failures = 0
      endpoint.asideUntil = 0
    },
    onFailure(endpoint) {
      endpoint.asideUntil = now() + Math.min(ASIDE_MAX_MS, ASIDE_FIRST_MS * 2 ** Math.min(endpoint.failures, 20))
      endpoint.failures++
    },
  }
}

function baseUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const isHttp = url !== undefined && (url.protocol === 'http:' || url.protocol === 'https:')
  if (isHttp && url.search === '' && url.hash === '') return url.href.replace(/\/+$/, '')
  throw new ClientError('BAD_ENDPOINT', `"${text}" is not a node's URL: give one like http://127.0.0.1:4600`)
}

function rotated<T>(values: readonly T[], start: number): T[] {
  return [...values.slice(start), ...values.slice(0, start)]
}

/** Rendezvous hashing: a sender keeps its node while that one lives, and only its senders move when it goes. */
function ranked(endpoints: readonly Endpoint[], sender: string): Endpoint[] {
  const encoder = new TextEncoder()
  const rank = (endpoint: Endpoint) => toHex(sha256(encoder.encode(`${sender}\n${endpoint.url}`)))
  return endpoints
    .map((endpoint) => ({ endpoint, weight: rank(endpoint) }))
    .sort((a, b) => (a.weight < b.weight ? -1 : 1))
    .map(({ endpoint }) => endpoint)
}
