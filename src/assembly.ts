// Joins the parts of a node: each is told only what it needs, nothing below this file knows of any other part (docs/architecture.md).
import type { Logger } from 'pino'
import type { ApiNode } from './api/port.ts'
import { type Backups, createBackups } from './backups.ts'
import { createCatchUp } from './catch-up.ts'
import { createCore } from './consensus/core.ts'
import { primaryOf } from './consensus/proposer.ts'
import { addressOf } from './crypto/address.ts'
import { epochHash, firstEpoch, transactionId } from './crypto/digest.ts'
import { verify, verifyFast } from './crypto/signer.ts'
import { createDivergence } from './divergence.ts'
import { createEvidenceKeeper } from './evidence.ts'
import { intrinsicGas } from './execution/cost.ts'
import { hasRole, readNonce } from './execution/state.ts'
import type { Fault } from './fault.ts'
import { formatGenesis } from './genesis/document.ts'
import type { Home } from './home/home.ts'
import { createInbound } from './inbound.ts'
import { createIntake } from './intake.ts'
import type { Ledger } from './ledger/ledger.ts'
import { STATUS_INTERVAL_MS } from './limits.ts'
import { createLiveness, suspectAfterMs } from './liveness.ts'
import { createMempool } from './mempool/mempool.ts'
import { createMetrics } from './metrics.ts'
import { createEdge, isLarge } from './network/edge.ts'
import { createVerifyBudget } from './network/verify-budget.ts'
import { createNodeView, recallReason } from './node-view.ts'
import type { Parts } from './parts.ts'
import { passingBlockOf } from './passing-block.ts'
import { createProposing } from './proposing.ts'
import { createReads } from './reads.ts'
import { type Clock, createReplica } from './replica.ts'
import { createCertificateCheck } from './sync/certificates.ts'
import { answerBlockRequest } from './sync.ts'
import { batchCodec } from './types/block.ts'
import { fromHex, toHex } from './types/hex.ts'
import { type Message, messageCodec } from './types/message.ts'
import { quorumOf } from './types/quorum.ts'
import { decode, encode } from './types/schema.ts'
import { decodeTransaction } from './types/transaction.ts'
import { createWaiters } from './waiters.ts'

/** Certified blocks the executor has before it: enough that it never waits for this thread while catching up. */
const EXECUTING_MAX = 16

const systemClock: Clock = {
  now: Date.now,
  monotonic: () => performance.now(),
  after(delayMs, callback) {
    const timer = setTimeout(callback, delayMs)
    return () => clearTimeout(timer)
  },
}

/** The height at which a transaction ran or was skipped for good. */
async function heightOf(ledger: Ledger, id: string): Promise<number | undefined> {
  const place = await ledger.findTransaction(id)
  if (place === undefined || place.executed) return place?.height
  const receipt = (await ledger.receipts(place.height))?.[place.index]
  return receipt?.code === 'NONCE_GAP' ? undefined : place.height
}

async function transactionAt(ledger: Ledger, height: number, index: number) {
  const batch = await ledger.batch(height)
  const wire = batch && decode(batchCodec, batch).txs[index]
  if (wire === undefined) return undefined
  const { contract, method, unsigned } = decodeTransaction(wire)
  return { id: transactionId(unsigned), contract, method }
}

export interface Running {
  readonly view: ApiNode
  readonly backups: Backups
  start(): Promise<void>
  stop(): Promise<void>
}

/** Joins the parts. Each is told only what it needs; nothing below this function knows of any other part. */
export function assemble(home: Home, parts: Parts, logger: Logger, fault: Fault, takeLedger: () => void): Running {
  const { genesis, genesisHash } = home
  const { ledger, transport, verifier, executor } = parts
  const clock = systemClock
  const epoch = firstEpoch(genesis)
  const validatorsHash = epochHash(epoch)
  const { validators, parameters } = epoch
  const ownKey = toHex(home.validatorKey.publicKey)
  const index = new Map(validators.map(({ key }, position) => [key, position]))
  const self = index.get(ownKey)
  const state = { get: (key: string) => ledger.getState(key), scan: () => [] as [string, string][] }
  const voting = 'log' in parts.voting ? parts.voting : undefined

  const core = createCore({
    genesisHash,
    epoch,
    validatorsHash,
    self,
    voting: voting !== undefined,
    ...parts.position,
    sign: home.validatorKey.sign,
    records: voting?.records ?? [],
  })
  const recalls = recallReason(core.state)
  if (recalls !== undefined) logger.warn(`this validator follows and does not vote: ${recalls}`)
  const pool = createMempool({
    genesisHash,
    parameters: () => parameters,
    nonceOf: (sender) => readNonce(state, sender),
    mayTransact: (sender) => mayTransact(sender),
    intrinsicGas,
  })
  const quorum = quorumOf(validators.length)
  const budget = createVerifyBudget({ quorum, windowBlocks: parameters.windowBlocks, now: clock.monotonic })
  const edgeWith = (check: typeof verify) =>
    createEdge({
      genesisHash,
      epoch,
      validatorsHash,
      quorum,
      verify: check,
      verifyFast,
      ...budget,
      isWanted: core.isWanted,
    })
  const edge = edgeWith(verify)
  const { progressTimeoutMs } = parameters
  const liveness = createLiveness({ validators, self: ownKey, progressTimeoutMs, startedAt: clock.monotonic() })
  const waiters = createWaiters({
    find: (id) => heightOf(ledger, id),
    certifiedHeight: () => view.certifiedHeight(),
  })
  const metrics = createMetrics({
    height: () => core.state.lastExec,
    certifiedHeight: () => view.certifiedHeight(),
    view: () => core.state.view,
    mempool: () => pool.size(),
    peers: () => transport.peers().length,
    missingValidators: () => liveness.missing(clock.monotonic()).length,
    waitingClients: () => waiters.count(),
    syncTarget: () => catchUp.target()?.to,
    snapshotHeight: () => catchUp.snapshots.newest(),
  })
  const evidence = createEvidenceKeeper({
    store: ledger,
    onKept({ validator, kind, epoch, view, height }) {
      const name = validators[validator]?.name
      logger.error({ validator: name, kind, epoch, view, height }, 'a validator is proven faulty: see /v1/evidence')
    },
    onError: fault.report,
    now: clock.now,
  })
  const blame = (peer: string, reason: string) => {
    metrics.onDropped()
    logger.warn({ peer, reason }, 'a peer is dropped')
    transport.drop(peer, reason)
  }
  const proposing = voting === undefined ? undefined : createProposing(pool, parameters, ownKey)

  const replica = createReplica({
    core,
    log: voting?.log,
    proposing,
    clock,
    execute: (height, batch) => executor.ask({ height, batch }),
    executingMax: EXECUTING_MAX,
    putCertificates: (certificates) => ledger.putCertificates(certificates),
    putDivergence: (certificate, ours) => divergence.keep(certificate, ours),
    hasWork: () => pool.hasExecutable(() => 0),
    passedOverIn: pool.passedOverIn,
    send({ to, message }) {
      const channel = isLarge(message) ? 'proposals' : 'consensus'
      const frame = encode(messageCodec, message)
      const receivers = to === 'all' ? validators.keys() : [to]
      for (const receiver of receivers) {
        if (receiver !== self) transport.sendToValidator(validators[receiver]!.key, channel, frame)
      }
    },
    observer: {
      onExecuted(block) {
        const { height } = block.header
        const passing = passingBlockOf(block.header, core.state, clock)
        pool.onExecuted(height, block.transactions, new Map(block.nextNonces), passing)
        waiters.onExecuted(
          height,
          block.transactions.filter(({ final }) => final).map(({ id }) => id),
        )
        metrics.onExecuted(block.transactions.length)
        view.onExecuted(block)
      },
      onCertified({ height }) {
        metrics.onCertified(clock.now() - view.onCertified(height))
        waiters.onCertified(height)
        inbound.onMoved()
        announce(false)
        catchUp.snapshots.onCertified(height)
      },
      onSent: metrics.onSent,
      onReport(report) {
        if (report.type === 'view') {
          const { view, active } = report
          const primary = validators[primaryOf(epoch, view)]!.name
          inbound.onMoved()
          logger.info({ view, primary }, active ? 'a view is active' : 'leaving a view: its primary made no progress')
          return
        }
        if (report.type === 'mismatch') {
          const { key } = validators[report.validator]!
          liveness.onMismatch(key, report.height, clock.monotonic())
          divergence.onMismatch(report.height, key, report.theirs)
        }
        metrics.onReport(report.type === 'evidence' ? report.kind : report.type)
        // What is kept is logged once, by the keeper.
        if (report.type === 'evidence') return evidence.add(report)
        if (report.type === 'mismatch') return logger.error({ report }, 'a validator contradicts this node')
        const { height, blockHash: certified } = report.certificate
        const blocks = { height, ours: report.ours, certified }
        logger.error(blocks, 'a quorum certified another block than this node made: it votes and executes no more')
      },
      onFatal: fault.report,
    },
  })
  const intake = createIntake({
    pool,
    verifier,
    executedHeight: () => core.state.lastExec,
    now: clock.monotonic,
    after: clock.after,
    broadcast(frame) {
      if (transport.connectedValidators().size > 0) transport.broadcast('transactions', frame, 'validators')
      else transport.publish('transactions', frame).catch((error) => logger.debug({ err: error }, 'gossip failed'))
    },
    sendTo: (peer, frame) => transport.send(peer, 'transactions', frame),
    onAdmitted: replica.wake,
    blame,
    onError: fault.report,
  })
  const catchUp = createCatchUp({
    home,
    core,
    metrics,
    claimedHeight: liveness.claimedHeight,
    certificateFault: createCertificateCheck((check) => edgeWith(check).certificateFault, verifier.verifyBatch),
    request: transport.request,
    blockHashAt: ledger.blockHash,
    apply: replica.apply,
    blame,
    onError: fault.report,
    takeLedger,
    logger,
    clock,
  })
  const inbound = createInbound({
    core,
    edge,
    replica,
    verifier,
    rules: { genesisHash, parameters, intrinsicGas, isVerified: pool.seen.has },
    markVerified: pool.seen.add,
    validatorIndex: (key) => index.get(key),
    onStatus(peer, validator, status) {
      liveness.onStatus(peer, validator, status, clock.monotonic())
      catchUp.onPeerHeight(peer, status.h, validator !== null && index.has(validator))
    },
    onTransactions: intake.onFrame,
    blame,
    onError: fault.report,
    now: clock.monotonic,
  })
  const reads = createReads({
    options: { directory: home.paths.ledger, imageFolder: home.paths.images, genesisHash, parameters },
    ledger,
    check: (wire) => pool.check(wire, core.state.lastExec),
    pendingNonce: pool.pendingNonce,
    onViewerLost: (error) =>
      logger.error({ err: error }, 'the thread for reads was lost; the next read starts another'),
  })
  const divergence = createDivergence({
    store: ledger,
    header: ledger.header,
    receipts: ledger.receipts,
    writeDigests: ledger.writeDigests,
    writes: reads.writes,
    transaction: (height, index) => transactionAt(ledger, height, index),
    peers: () => peersToAsk(),
    request: transport.request,
    position: () => core.state,
    patienceMs: suspectAfterMs(progressTimeoutMs),
    onFound(difference, text) {
      logger.error({ difference }, `where this node's block differs: ${text}`)
    },
    onError: (error) => logger.error({ err: error }, "looking for where this node's block differs failed"),
    pause: (ms) => new Promise((resolve) => clock.after(ms, resolve)),
    now: clock.monotonic,
  })
  const backups = createBackups({
    options: {
      directory: home.paths.ledger,
      genesis: { text: formatGenesis(genesis), chainId: genesis.chainId, hash: genesisHash },
    },
    root: home.paths.backups,
    schedule: home.config.backup,
    logger,
    onResult: metrics.onBackup,
    now: clock.now,
    after: clock.after,
  })
  const view = createNodeView({
    home,
    follows: 'reason' in parts.voting ? parts.voting.reason : undefined,
    core,
    ledger,
    pool,
    liveness,
    waiters,
    metrics,
    transport,
    intake,
    reads,
    now: clock.now,
    monotonic: clock.monotonic,
    difference: divergence.found,
    syncing: catchUp.target,
    fatal: fault.message,
  })

  /** Validators first: they have every block. */
  function peersToAsk(): { id: string; name: string }[] {
    const nameOf = (key: string | null) => validators.find((validator) => validator.key === key)?.name
    const named = transport.peers().map(({ id, validator }) => ({ id, validator: nameOf(validator) }))
    return named
      .sort((a, b) => Number(a.validator === undefined) - Number(b.validator === undefined))
      .map(({ id, validator }) => ({ id, name: validator ?? id }))
  }

  function mayTransact(sender: string): boolean {
    const { transact } = parameters
    return transact === 'anyone' || hasRole(state, addressOf(fromHex(sender)), transact.slice('role:'.length))
  }

  function statusFrame(): Uint8Array {
    const message: Message = { type: 'status', ...core.status() }
    return encode(messageCodec, message)
  }

  /** Validators hear STATUS once a second; observers also of each new certified block, to fetch it. */
  function announce(isPeriodic: boolean): void {
    if (isPeriodic) return transport.broadcast('consensus', statusFrame(), 'all')
    const frame = statusFrame()
    for (const peer of transport.peers()) {
      if (peer.validator === null || !index.has(peer.validator)) transport.send(peer.id, 'consensus', frame)
    }
  }

  function answerBlocks(payload: Uint8Array): Promise<Uint8Array> {
    return answerBlockRequest(ledger, payload).catch((error: Error & { code?: string }) => {
      // The peer asks another node; whoever runs this one has to know.
      if (error.code === 'LEDGER_DAMAGED') logger.error({ err: error }, 'blocks that a peer asked for are damaged')
      throw error
    })
  }

  transport.onFrame = inbound.onFrame
  transport.onRequest = ({ validator }, payload, kind) => {
    if (kind === 'snapshots') return catchUp.snapshots.answer(payload)
    if (!divergence.answering.isFor(payload)) return answerBlocks(payload)
    return divergence.answering.answer(index.has(validator ?? '') ? validator : null, payload)
  }
  transport.onGossip = (_peer, _topic, payload) => {
    return intake.onGossip(payload) ? 'accept' : 'ignore'
  }
  transport.onConnect = (peer) => {
    const validator = peer.validator === null ? undefined : index.get(peer.validator)
    if (validator !== undefined) {
      core.onConnect(validator)
      intake.onValidator(peer.id)
    }
    transport.send(peer.id, 'consensus', statusFrame())
  }
  transport.onDisconnect = (peer) => {
    liveness.onGone(peer.id)
    catchUp.onPeerGone(peer.id)
    inbound.onGone(peer.id)
  }

  let heartbeat: NodeJS.Timeout | undefined
  return {
    view: view.api,
    backups,
    async start() {
      await view.load()
      await evidence.load()
      await catchUp.snapshots.load(core.state.h)
      await divergence.load()
      replica.start()
      await transport.start()
      heartbeat = setInterval(() => {
        announce(true)
        view.onBeat()
        divergence.onBeat()
        intake.resend()
      }, STATUS_INTERVAL_MS)
      await backups.start()
    },
    async stop() {
      clearInterval(heartbeat)
      catchUp.stop()
      intake.stop()
      divergence.stop()
      await transport.stop()
      await catchUp.snapshots.stop()
      await divergence.settled()
      await replica.stop()
      await evidence.settled()
      await reads.stop()
      await backups.stop()
      await verifier.close()
      await voting?.log.close()
      await ledger.close()
      // Last, as it opened the ledger's folder first (ledger/shared-level.ts).
      await executor.close()
    },
  }
}
