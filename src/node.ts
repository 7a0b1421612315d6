// A node as a whole: its home is opened (home/), its parts are opened (parts.ts) and joined (assembly.ts), then it starts and serves.
// Where it must go on with another ledger it stops its parts and opens them again, in the same process.
import { type Logger, pino } from 'pino'
import { createApi } from './api/server.ts'
import { assemble } from './assembly.ts'
import { engineHash } from './execution/engine-hash.ts'
import { createFault, type Fault } from './fault.ts'
import { newToken, removeControl, writeControl } from './home/control.ts'
import { type Home, type OpenOptions, openHome } from './home/home.ts'
import { settleRepair } from './ledger/repair-folders.ts'
import { settleSwap, swapLedger } from './ledger-swap.ts'
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
  const { config, genesisHash, paths } = home
  const logger = options.logger ?? pino({ level: config.log.level, base: { node: config.node.name } })
  for (const warning of home.warnings) logger.warn(warning)
  if (await settleRepair(paths.ledger)) logger.info('a repair of the ledger that was interrupted is finished')
  if (await settleSwap(paths)) logger.info('a ledger made of a snapshot was put in its place')
  let run: Run | undefined
  /** Opening and stopping, one after the other. */
  let work = open(config.api.port)
  let isStopped = false
  let isReopening = false

  async function open(port: number): Promise<void> {
    run = await openRun(home, logger, { port, onFatal: options.onFatal, takeLedger })
  }

  function takeLedger(): void {
    if (isReopening) return
    isReopening = true
    work = work.then(async () => {
      if (isStopped) return
      logger.info('the node opens its parts again, on the ledger that was made of a snapshot')
      // Where any free port was taken it stays the node's.
      const { port } = new URL(run!.url)
      await run!.stop()
      await swapLedger(paths)
      isReopening = false
      await open(Number(port))
    })
    work.catch((error) => {
      if (isStopped) return
      logger.fatal({ err: error }, 'the node cannot go on and stops')
      options.onFatal?.(error)
    })
  }

  await work
  return {
    get url() {
      return run!.url
    },
    genesisHash,
    get addresses() {
      return run!.addresses
    },
    async stop() {
      isStopped = true
      await work.catch(() => {})
      await run?.stop()
    },
  }
}

interface RunOptions {
  port: number
  onFatal: NodeOptions['onFatal']
  takeLedger(): void
}

interface Run {
  url: string
  addresses: string[]
  /** A second call does nothing. */
  stop(): Promise<void>
}

async function openRun(home: Home, logger: Logger, { port, onFatal, takeLedger }: RunOptions): Promise<Run> {
  const fault = createFault(logger, onFatal)
  const parts = await openParts(home, logger, fault.report)
  const running = assemble(home, parts, logger, fault, takeLedger)
  const stops = [running.stop]
  try {
    await running.start()
    const { host, connectionsMax, bodyBytesMax, eventStreamsMax: streamsMax } = home.config.api
    const limits = { connectionsMax, bodyBytesMax, streamsMax }
    const token = newToken()
    const control = { token, port: running.backups }
    const api = await createApi({ node: running.view, host, port, limits, logger, control })
    stops.unshift(() => api.close())
    await writeControl(home.paths.control, { url: api.url, token })
    stops.unshift(() => removeControl(home.paths.control))
    const addresses = parts.transport.addresses()
    logger.info({ api: api.url, p2p: addresses, role: running.view.status().node.role }, 'the node runs')
    return { url: api.url, addresses, stop: () => stopAll(stops.splice(0), fault) }
  } catch (error) {
    await stopAll(stops, fault)
    throw error
  }
}

async function stopAll(stops: (() => Promise<void>)[], fault: Fault): Promise<void> {
  fault.silence()
  for (const stop of stops) await stop()
}
