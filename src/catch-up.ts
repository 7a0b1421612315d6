// How a node that is behind gets level again: block by block (sync.ts), or by a snapshot of its peers where it is far behind (join.ts).
// The snapshots it makes and serves are here too, since nothing is made for others while it catches up itself.
import type { Logger } from 'pino'
import type { Core } from './consensus/core.ts'
import type { Home } from './home/home.ts'
import { createJoin, type JoinPorts } from './join.ts'
import type { Metrics } from './metrics.ts'
import type { Clock } from './replica.ts'
import { createSnapshots, type Snapshots } from './snapshots.ts'
import { createSync, type SyncPorts } from './sync.ts'

export interface CatchUpPorts
  extends Pick<JoinPorts, 'claimedHeight' | 'certificateFault' | 'request' | 'blame' | 'onError'>,
    Pick<SyncPorts, 'blockHashAt' | 'apply'> {
  home: Home
  core: Core
  metrics: Metrics
  /** There is a ledger made of a snapshot: the node is to take it and start again on it. */
  takeLedger(): void
  logger: Logger
  clock: Clock
}

export interface CatchUp {
  readonly snapshots: Snapshots
  /** A peer said its certified height. */
  onPeerHeight(peer: string, height: number, isValidator: boolean): void
  onPeerGone(peer: string): void
  /** The height this node is fetching towards, and how; undefined while it follows live. */
  target(): { to: number; by: 'blocks' | 'snapshot' } | undefined
  /** Fetching ends; the snapshots have a stop of their own, which waits for their worker. */
  stop(): void
}

export function createCatchUp(ports: CatchUpPorts): CatchUp {
  const { home, core, metrics, logger, clock, certificateFault, request, blame, onError } = ports
  const { genesisHash, paths, config } = home
  const { snapshotIntervalBlocks: intervalBlocks } = core.state.epoch.parameters
  const report = (detail: object, message: string) => logger.info(detail, message)
  const shared = { position: () => core.state, certificateFault, request, blame, onError, report }
  const time = { now: clock.monotonic, after: clock.after }

  const { ledger, snapshots: snapshotFolder, snapshotIncoming, ledgerIncoming } = paths
  const snapshots = createSnapshots({
    options: { genesisHash, ledger, snapshots: snapshotFolder, snapshotIncoming, ledgerIncoming },
    intervalBlocks,
    kept: config.ledger.snapshots,
    mayMake: () => target() === undefined,
    onMade(made, tookMs) {
      metrics.onSnapshot(made, tookMs)
      logger.info({ ...made, ms: Math.round(tookMs) }, 'a snapshot of the state was made')
    },
    onNotMade: (height, reason) => logger.warn({ height, reason }, 'no snapshot of the state was made'),
    onDropped: (height, reason) => logger.warn({ height, reason }, 'a damaged snapshot of the state is dropped'),
    now: clock.monotonic,
  })
  const join = createJoin({
    ...shared,
    ...time,
    genesisHash,
    intervalBlocks,
    weakQuorum: core.state.weakQuorum,
    claimedHeight: ports.claimedHeight,
    ask: snapshots.ask,
    holdBlocks: (isHeld) => sync.hold(isHeld),
    onBuilt: ports.takeLedger,
    isStopped: () => core.state.diverged || !config.ledger.joinBySnapshot,
    onError: (err) =>
      logger.error({ err }, 'a snapshot could not be kept: fetching blocks instead; make room if the disk is full'),
  })
  const sync = createSync({
    ...shared,
    ...time,
    blockHashAt: ports.blockHashAt,
    onNoBlock: join.onNoBlock,
    apply: ports.apply,
    isStopped: () => core.state.diverged,
  })

  function target(): ReturnType<CatchUp['target']> {
    const snapshot = join.target()
    if (snapshot !== undefined) return { to: snapshot, by: 'snapshot' }
    const to = sync.target()
    return to === undefined ? undefined : { to, by: 'blocks' }
  }

  return {
    snapshots,
    target,
    onPeerHeight(...claim) {
      join.onPeerHeight(...claim)
      sync.onPeerHeight(...claim)
    },
    onPeerGone(peer) {
      join.onPeerGone(peer)
      sync.onPeerGone(peer)
    },
    stop() {
      join.stop()
      sync.stop()
    },
  }
}
