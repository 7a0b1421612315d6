// A node as a whole: its home is opened (home/), its parts are opened (parts.ts) and joined (assembly.ts), then it starts and serves.
import { type Logger, pino } from 'pino'
import { createApi } from './api/server.ts'
import { assemble } from './assembly.ts'
import { engineHash } from './execution/engine-hash.ts'
import { createFault, type Fault } from './fault.ts'
import { type OpenOptions, openHome } from './home/home.ts'
import { openParts } from './parts.ts'

export interface NodeOptions extends OpenOptions {
  logger?: Logger
  /** Called once when the node cannot go on: a broken invariant, a failed disk write. It has stopped voting by then. */
  onFatal?: (error: unknown) => void
}

export interface Node {
  /** Base URL of the HTTP API. */
  readonly url: string
  readonly genesisHash: string
  /** Full multiaddrs, `/p2p/` included. */
  readonly addresses: string[]
  stop(): Promise<void>
}

/** Opens a node home and runs its node in this process. Rejects where the home, the ledger or a port cannot be had. */
export async function startNode(homePath: string, options: NodeOptions = {}): Promise<Node> {
  const home = await openHome(homePath, { ...options, context: { ...options.context, engineHash: engineHash() } })
  const { config, genesisHash } = home
  const logger = options.logger ?? pino({ level: config.log.level, base: { node: config.node.name } })
  for (const warning of home.warnings) logger.warn(warning)
  const fault = createFault(logger, options.onFatal)
  const parts = await openParts(home, logger, fault.report)
  const running = assemble(home, parts, logger, fault)
  const stops = [running.stop]
  try {
    await running.start()
    const { host, port, connectionsMax, bodyBytesMax, eventStreamsMax: streamsMax } = config.api
    const limits = { connectionsMax, bodyBytesMax, streamsMax }
    const api = await createApi({ node: running.view, host, port, limits, logger })
    stops.unshift(() => api.close())
    const addresses = parts.transport.addresses()
    logger.info({ api: api.url, p2p: addresses, role: running.view.status().node.role }, 'the node runs')
    return { url: api.url, genesisHash, addresses, stop: () => stopAll(stops, fault) }
  } catch (error) {
    await stopAll(stops, fault)
    throw error
  }
}

async function stopAll(stops: (() => Promise<void>)[], fault: Fault): Promise<void> {
  fault.silence()
  for (const stop of stops) await stop()
}
