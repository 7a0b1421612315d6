// The node as its API sees it: where it is, whom it hears, and the way in for transactions and reads.
import { createRequire } from 'node:module'
import type { ApiNode, StatusView } from './api/port.ts'
import { createBlockCache } from './block-cache.ts'
import type { Core } from './consensus/core.ts'
import { primaryOf } from './consensus/proposer.ts'
import { explain } from './execution/codes.ts'
import type { Home } from './home/home.ts'
import type { Intake } from './intake.ts'
import type { Ledger } from './ledger/ledger.ts'
import { divergence, type Liveness, phaseOf, readiness } from './liveness.ts'
import type { Mempool } from './mempool/mempool.ts'
import type { Metrics } from './metrics.ts'
import type { Transport } from './network/transport.ts'
import type { Reads } from './reads.ts'
import type { ExecutedBlock } from './replica.ts'
import type { Header } from './types/block.ts'
import type { Difference } from './types/divergence.ts'
import type { Waiters } from './waiters.ts'

export interface NodeViewPorts {
  home: Home
  /** Why this node does not vote, where that was so from the start. */
  follows: string | undefined
  core: Core
  ledger: Ledger
  pool: Mempool
  liveness: Liveness
  waiters: Waiters
  metrics: Metrics
  transport: Transport
  intake: Intake
  reads: Reads
  now(): number
  /** Milliseconds on a clock that never jumps. */
  monotonic(): number
  /** Where the block above the certified height differs from others. */
  difference(): Difference | undefined
  /** The height this node is fetching towards, and how; undefined while it follows live. */
  syncing(): { to: number; by: 'blocks' | 'snapshot' } | undefined
  /** Why the node stopped working, once it has. */
  fatal(): string | undefined
}

export interface NodeView {
  readonly api: ApiNode
  /** Reads what the first status needs. */
  load(): Promise<void>
  /** Once each STATUS interval. */
  onBeat(): void
  onExecuted(block: ExecutedBlock): void
  /** The height whose certificate is stored: what is shown, which may trail what the core knows by a disk write. */
  certifiedHeight(): number
  /** Returns the certified block's time, in ms since 1970. */
  onCertified(height: number): number
}

/** A ledger that lost blocks: restore.ts says why it does not vote meanwhile. */
export function recallReason({ recall }: Core['state']): string | undefined {
  if (recall === undefined) return undefined
  return `its ledger lacks blocks that it has voted on; it votes again once they are fetched, up to height ${recall.height}`
}

const { version } = createRequire(import.meta.url)('../package.json') as { version: string }

export function createNodeView(ports: NodeViewPorts): NodeView {
  const { home, core, ledger, pool, liveness, waiters, transport } = ports
  const { genesis, genesisHash, config } = home
  const { validators } = core.state.epoch
  const listeners = new Set<(height: number) => void>()
  /** Executed blocks that are not certified yet, at most a window of them. */
  const uncertified = new Map<number, { header: Header; blockHash: string }>()
  let certified: { header: Header; blockHash: string } | undefined
  let waitingSince: number | undefined

  /** When work began to wait: any block that is certified starts the count again. */
  function waitingMs(): number {
    // A stray vote of one validator is no work.
    const isOpen = [...core.state.slots.values()].some((slot) => slot.accepted.size > 0 || slot.block !== undefined)
    const hasWork = isOpen || pool.hasExecutable(() => 0)
    waitingSince = hasWork ? (waitingSince ?? ports.monotonic()) : undefined
    return waitingSince === undefined ? 0 : ports.monotonic() - waitingSince
  }

  const certifiedHeight = () => certified?.header.height ?? 0

  /** Why this node does not vote; null while it does. */
  function followReason(): string | null {
    if (core.state.diverged) return divergence(core.state, ports.difference())
    return ports.fatal() ?? ports.follows ?? recallReason(core.state) ?? null
  }

  function status(): StatusView {
    const { lastExec, epoch, self } = core.state
    // An observer hears of views and takes no part in them.
    const view = self === undefined ? Math.max(core.state.view, liveness.claimedView()) : core.state.view
    const h = certifiedHeight()
    const syncing = ports.syncing()
    return {
      network: genesis.chainId,
      genesisHash,
      node: {
        name: config.node.name,
        role: core.state.self === undefined ? 'observer' : 'validator',
        address: core.state.self === undefined ? null : home.validatorKey.address,
        version,
      },
      height: lastExec,
      certifiedHeight: h,
      oldestHeight: ledger.oldestBlock(),
      blockHash: certified?.blockHash ?? '',
      stateRoot: certified?.header.stateRoot ?? '',
      epoch: epoch.epoch,
      view,
      primary: validators[primaryOf(epoch, view)]!.name,
      phase: phaseOf(core.state),
      voting: followReason() === null,
      reason: followReason(),
      syncing: syncing === undefined ? null : { from: h, ...syncing },
      peers: transport.peers().length,
      mempool: pool.size(),
    }
  }

  const api: ApiNode = {
    genesis,
    genesisHash,
    // Whoever asks for blocks asks for whole ones.
    ledger: { ...ledger, oldestHeight: ledger.oldestBlock, block: createBlockCache(ledger) },
    status,
    ready: () =>
      readiness({
        state: core.state,
        difference: ports.difference(),
        missing: liveness.missing(ports.monotonic()),
        diverged: liveness.diverged(core.state.h),
        claimedHeight: liveness.claimedHeight(),
        behindMs: liveness.behindMs(ports.monotonic()),
        syncing: ports.syncing(),
        fatal: ports.fatal(),
        waitingMs: waitingMs(),
      }),
    peers: () => liveness.peers(transport.peers(), certifiedHeight(), ports.monotonic(), ports.now()),
    validators(height = certifiedHeight()) {
      if (height > certifiedHeight() + 1) return undefined
      return { epoch: core.state.epoch.epoch, validators, quorum: core.state.quorum }
    },
    evidence: async () =>
      (await ledger.evidence()).map((one) => ({ ...one, validator: validators[one.validator]?.name ?? '' })),
    async submit(wire, client) {
      if (core.state.diverged) {
        ports.metrics.onRefused('DIVERGED')
        return { ok: false, code: 'DIVERGED', message: `${followReason()}; submit to another node` }
      }
      const result = await ports.intake.submit(wire, client)
      if (result.ok) return { ok: true, id: result.id }
      // A transaction that ran already is answered as it was before it ran.
      const place = result.id === undefined ? undefined : await ledger.findTransaction(result.id)
      if (place?.executed) return { ok: true, id: result.id! }
      ports.metrics.onRefused(result.code)
      return result
    },
    awaitTransaction: waiters.transaction,
    pendingNonce: pool.pendingNonce,
    simulate: ports.reads.simulate,
    replay: ports.reads.replay,
    view: ports.reads.view,
    rehearse: ports.reads.rehearse,
    awaitHeight: waiters.height,
    onCertified(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    explain,
    metrics: ports.metrics.text,
  }

  return {
    api,
    certifiedHeight,
    async load() {
      const { h, lastExec } = core.state
      for (let height = h; height <= lastExec; height++) {
        // Of a ledger that begins here the header is all there is.
        const [header, blockHash] = await Promise.all([ledger.header(height), ledger.blockHash(height)])
        if (header === undefined || blockHash === undefined) throw new Error(`the ledger has no block ${height}`)
        if (height === h) certified = { header, blockHash }
        else uncertified.set(height, { header, blockHash })
      }
    },
    onBeat() {
      liveness.onBeat(core.state, ports.monotonic())
      // Looked at also while nobody asks: waiting counts from its beginning.
      waitingMs()
    },
    onExecuted: (block) => uncertified.set(block.header.height, block),
    onCertified(height) {
      const block = uncertified.get(height)
      uncertified.delete(height)
      certified = block ?? certified
      waitingSince = undefined
      for (const listener of listeners) listener(height)
      return block?.header.time ?? ports.now()
    },
  }
}
