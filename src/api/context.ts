// What every group of routes is given, and what every read does first.
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { EventFeed } from './feed.ts'
import { createGate, type Gate } from './gate.ts'
import type { ApiLimits } from './limits.ts'
import type { ApiNode, ControlPort } from './port.ts'
import { Problem } from './problem.ts'

/** What the owner of the node's home may do, and the secret that shows it is the owner. */
export interface Control {
  token: string
  port: ControlPort
}

export interface ApiContext {
  node: ApiNode
  limits: ApiLimits
  gates: { bodies: Gate; reads: Gate; runs: Gate; rehearsals: Gate; waits: Gate; streams: Gate }
  feed: EventFeed
  /** Absent where nobody may. */
  control: Control | undefined
  /** Aborted when the API closes: what waits stops waiting. */
  closing: AbortSignal
}

export type Routes = (app: FastifyInstance, context: ApiContext) => void

export function createGates(limits: ApiLimits): ApiContext['gates'] {
  return {
    bodies: createGate('bytes of request bodies', limits.bodyBytesInFlightMax),
    reads: createGate('concurrent reads', limits.readsMax),
    runs: createGate('concurrent views and dry runs', limits.runsMax),
    rehearsals: createGate('concurrent rehearsals', limits.rehearsalsMax),
    waits: createGate('waiting requests', limits.waitsMax),
    streams: createGate('event streams', limits.streamsMax),
  }
}

interface ReadQuery {
  minHeight?: number
  consistency?: 'certified' | 'linearizable'
}

/** Makes a read wait for the height it asks for; as a preHandler, so that its parameters are checked by then. */
export function awaitAskedHeight({ node, gates, limits }: ApiContext) {
  return async (request: FastifyRequest): Promise<void> => {
    const { minHeight = 0, consistency } = (request.query ?? {}) as ReadQuery
    if (consistency === 'linearizable') {
      const height = await gates.waits.run(() => askQuorum(node, limits.heightWaitMs))
      await awaitHeight(Math.max(height, minHeight))
    } else if (minHeight > 0) await awaitHeight(minHeight)
  }

  async function awaitHeight(height: number): Promise<void> {
    if (height <= node.ledger.certifiedHeight()) return
    const isReached = await gates.waits.run(() => node.awaitHeight(height, limits.heightWaitMs))
    if (isReached) return
    const certifiedHeight = node.ledger.certifiedHeight()
    throw new Problem(
      'TIMEOUT',
      `Height ${height} was not certified here within ${limits.heightWaitMs} ms, this node is at ${certifiedHeight}: ask again, or another node.`,
      { certifiedHeight },
    )
  }
}

async function askQuorum(node: ApiNode, timeoutMs: number): Promise<number> {
  if (node.linearizableHeight === undefined) {
    throw new Problem(
      'NOT_SUPPORTED',
      'A linearizable read needs a node that can ask a quorum of validators, and this one cannot: ask another node.',
    )
  }
  const height = await node.linearizableHeight(timeoutMs)
  if (height !== undefined) return height
  throw new Problem('TIMEOUT', `No quorum of validators answered within ${timeoutMs} ms: ask again when they do.`)
}

/** The height a read is about: the certified one, or an earlier one it asks for. */
export function readHeight(node: ApiNode, asked: number | undefined): number {
  const certifiedHeight = node.ledger.certifiedHeight()
  if (asked === undefined) return certifiedHeight
  if (asked <= certifiedHeight) return asked
  throw new Problem(
    'UNKNOWN_HEIGHT',
    `Height ${asked} is not certified, this node is at ${certifiedHeight}: wait for it with minHeight, or ask for a lower one.`,
    { certifiedHeight },
  )
}
