// What happens on the ledger, in order, with nothing lost or repeated, whatever becomes of connections and nodes.
//
// Proven: the receipts of block after block, asked for as ranges that prove themselves complete (a node waits for the next block). Not
// proven: one node's event stream after another; each is resumed at the height that was reached, and what came before is passed over.
import { ClientError } from '../light/error.ts'
import { itemsOf, type LedgerItem } from '../light/items.ts'
import type { Endpoint } from './endpoints.ts'
import { isNodesFault, type Nodes } from './nodes.ts'
import type { Prover } from './prover.ts'
import { serverEvents } from './sse.ts'

export interface EventsOptions {
  /** Only this contract's events; without proof, also the transactions that call it. */
  contract?: string
  /** Only contract events of this name. */
  name?: string
  /** The height to begin with; without it, the next one. */
  from?: number
  /** The last height; without it there is no end. */
  to?: number
  /** Whether to check that every event is there and none is invented; true unless told. Without, each is one node's word. */
  prove?: boolean
  /** Ends the waiting, with the signal's reason. */
  signal?: AbortSignal
  /** Told why a node was left, for logs. */
  onProblem?: (problem: ClientError) => void
}

export interface EventsParts {
  nodes: Nodes
  prover: Prover
  sleep?: (ms: number) => Promise<void>
}

type Range = EventsOptions & { from: number }
/** One node's part: `undefined` says that it was heard of, with or without news. */
type Turn = (endpoint: Endpoint) => AsyncGenerator<LedgerItem | undefined, void>

const ANSWER_MS = 20_000
/** A node says every 15 seconds that it lives. */
const IDLE_MS = 45_000
const BACKOFF_FIRST_MS = 100
const BACKOFF_MAX_MS = 5_000

/** Throws ClientError where no node can go on: what was asked for is pruned everywhere, or is none. */
export async function* followEvents(parts: EventsParts, options: EventsOptions = {}): AsyncGenerator<LedgerItem, void> {
  const from = options.from ?? (await nextHeight(parts.nodes))
  const range = { ...options, from }
  const walk = (options.prove ?? true) ? createProvenWalk(parts, range) : createStreamWalk(parts, range)
  const sleep = parts.sleep ?? ((ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms)))
  for (let failures = 0; !walk.isDone(); failures++) {
    let last: ClientError | undefined
    let isFinal = true
    let isMoving = false
    for (const endpoint of parts.nodes.order()) {
      if (walk.isDone()) return
      options.signal?.throwIfAborted()
      try {
        for await (const item of walk.turn(endpoint)) {
          failures = 0
          isFinal = false
          if (item === undefined) continue
          isMoving = true
          yield item
        }
      } catch (error) {
        options.signal?.throwIfAborted()
        if (!(error instanceof ClientError)) throw error
        last = error
        isFinal &&= !isNodesFault(error)
        options.onProblem?.(error)
      }
    }
    if (isMoving) continue
    if (isFinal && last !== undefined) throw last
    // Also after nothing but waiting: a node that says at once that it waited in vain costs little then.
    await sleep(Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** Math.min(failures, 10)))
  }
}

async function nextHeight(nodes: Nodes): Promise<number> {
  return Math.max(await nodes.certifiedHeight(), nodes.minHeight) + 1
}

interface Walk {
  isDone(): boolean
  turn: Turn
}

function createProvenWalk({ prover }: EventsParts, { from, to, contract, name, signal }: Range): Walk {
  let next = from
  const isDone = () => to !== undefined && next > to
  return {
    isDone,
    async *turn(endpoint) {
      while (!isDone()) {
        let proven: Awaited<ReturnType<Prover['rangeAt']>>['proven']
        try {
          ;({ proven } = await prover.rangeAt(endpoint, { from: next, to }, { timeoutMs: ANSWER_MS, signal }))
        } catch (error) {
          // No block yet, or a node that is behind: another may have it.
          if (error instanceof ClientError && error.code === 'TIMEOUT') return yield undefined
          throw error
        }
        next = proven.to + 1
        yield undefined
        for (const block of proven.blocks) yield* itemsOf(block).filter((item) => passes(item, { contract, name }))
      }
    },
  }
}

/** As the stream's own filter: blocks have neither, and transactions no name. */
function passes(item: LedgerItem, { contract, name }: Pick<EventsOptions, 'contract' | 'name'>): boolean {
  if (contract !== undefined && (item.type === 'block' || item.contract !== contract)) return false
  return name === undefined || (item.type === 'event' && item.name === name)
}

function createStreamWalk({ nodes }: EventsParts, { from, to, contract, name, signal }: Range): Walk {
  let height = from
  /** The last place of `height` that is done with. */
  let position = -1
  let isEnded = false
  return {
    isDone: () => isEnded,
    async *turn(endpoint) {
      const body = await nodes.stream(endpoint, { path: '/v1/events', query: { from: height, contract, name }, signal })
      for await (const { id, data } of serverEvents(body, IDLE_MS)) {
        yield undefined
        const place = placeOf(id)
        if (place === undefined) continue
        isEnded = to !== undefined && (place.height > to || (data === undefined && place.height === to))
        if (isEnded) return
        if (place.height < height || (place.height === height && place.position <= position)) continue
        const item = data === undefined ? undefined : { ...parseItem(data), ...place }
        ;({ height, position } = place)
        nodes.sawHeight(height)
        if (item !== undefined) yield item
      }
    },
  }
}

function placeOf(id: string): { height: number; position: number } | undefined {
  const [height, position] = /^(\d{1,15})-(\d{1,15})$/.exec(id)?.slice(1).map(Number) ?? []
  return height === undefined || position === undefined ? undefined : { height, position }
}

function parseItem(data: string): LedgerItem {
  try {
    return JSON.parse(data) as LedgerItem
  } catch (cause) {
    throw new ClientError('BAD_ANSWER', 'an event is not JSON: check that it is a Quorate node', { cause })
  }
}
