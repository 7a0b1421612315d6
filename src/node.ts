// The composition root: builds, starts and stops every part of a node, in the order data flows (docs/architecture.md).
import { type Logger, pino } from 'pino'
import type { ApiNode } from './api/port.ts'
import { createApi } from './api/server.ts'
import { createCore } from './consensus/core.ts'
import { primaryOf } from './consensus/proposer.ts'
import { quorumOf } from './consensus/quorum.ts'
import { type LogRecord, recordCodec } from './consensus/record.ts'
import type { StateOptions } from './consensus/state.ts'
import { addressOf } from './crypto/address.ts'
import { epochHash, firstEpoch } from './crypto/digest.ts'
import { verify } from './crypto/signer.ts'
import { createVerifier, type Verifier } from './crypto/verifier.ts'
import { createEvidenceKeeper } from './evidence.ts'
import { intrinsicGas } from './execution/cost.ts'
import { engineHash } from './execution/engine-hash.ts'
import { hasRole, readNonce } from './execution/state.ts'
import type { ExecuteQuestion, ExecutorOptions } from './executor.ts'
import { type Home, type OpenOptions, openHome } from './home/home.ts'
import { createInbound } from './inbound.ts'
import { createIntake } from './intake.ts'
import { type ConsensusLog, openConsensusLog } from './ledger/consensus-log.ts'
import { type Ledger, openLedger } from './ledger/ledger.ts'
import { STATUS_INTERVAL_MS } from './limits.ts'
import { createLiveness } from './liveness.ts'
import { createMempool } from './mempool/mempool.ts'
import { createMetrics } from './metrics.ts'
import { createEdge, isLarge } from './network/edge.ts'
import { createTransport, type Transport } from './network/transport.ts'
import { createNodeView } from './node-view.ts'
import { passingBlockOf } from './passing-block.ts'
import { createProposing } from './proposing.ts'
import { createReads } from './reads.ts'
import { type Clock, createReplica, type ExecutedBlock } from './replica.ts'
import { createCertificateCheck } from './sync/certificates.ts'
import { answerBlockRequest, createSync } from './sync.ts'
import { genesisCodec } from './types/epoch.ts'
import { fromHex, toHex } from './types/hex.ts'
import { type Message, messageCodec } from './types/message.ts'
import { decode, encode } from './types/schema.ts'
import { createWaiters } from './waiters.ts'
import { startWorker, type WorkerClient, workerFile } from './worker-client.ts'

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

interface Fault {
  /** The first call ends the node; what fails because of it says nothing new. */
  report(error: unknown): void
  silence(): void
  message(): string | undefined
}

function createFault(logger: Logger, onFatal: NodeOptions['onFatal']): Fault {
  let first: unknown
  let silent = false
  return {
    report(error) {
      if (silent) return
      silent = true
      first = error
      logger.fatal({ err: error }, 'the node cannot go on and stops')
      onFatal?.(error)
    },
    silence() {
      silent = true
    },
    message: () => (first === undefined ? undefined : first instanceof Error ? first.message : String(first)),
  }
}

interface Parts {
  executor: WorkerClient<ExecuteQuestion, ExecutedBlock>
  ledger: Ledger
  verifier: Verifier
  transport: Transport
  /** The log of a validator that may vote, or why this node only follows. */
  voting: { log: ConsensusLog; records: LogRecord[] } | { reason: string }
  position: StartPosition
}

type StartPosition = Pick<StateOptions, 'lastExec' | 'h' | 'certified' | 'uncertified'>

/** Where the ledger says this node is: what it has executed, and up to where a quorum vouches for that. */
async function readPosition(ledger: Ledger): Promise<StartPosition> {
  const lastExec = ledger.head()?.height ?? 0
  const h = Math.min(ledger.certifiedHeight(), lastExec)
  const uncertified: StartPosition['uncertified'] = []
  for (let height = h + 1; height <= lastExec; height++) {
    const block = await ledger.block(height)
    if (block === undefined) throw new Error(`the ledger has no block ${height} below its head ${lastExec}`)
    uncertified.push({ header: block.header, hash: block.blockHash })
  }
  const [header, certificate] = [await ledger.header(h), await ledger.certificate(h)]
  const certified = header === undefined || certificate === undefined ? undefined : { header, certificate }
  return { lastExec, h, certified, uncertified }
}

/** Opens what holds files, threads and sockets. The executor comes first: it locks the ledger and makes block 0. */
async function openParts(home: Home, logger: Logger, onFatal: (error: unknown) => void): Promise<Parts> {
  const opened: { close(): Promise<void> }[] = []
  try {
    return await openEach(home, logger, onFatal, opened)
  } catch (error) {
    for (const part of opened.reverse()) await part.close()
    throw error
  }
}

async function openEach(
  home: Home,
  logger: Logger,
  onFatal: (error: unknown) => void,
  opened: { close(): Promise<void> }[],
): Promise<Parts> {
  const { genesisHash, config } = home
  const directory = home.paths.ledger
  const { historyBlocks } = config.ledger
  const workerData: ExecutorOptions = {
    directory,
    genesisHash,
    genesis: encode(genesisCodec, home.genesis),
    historyBlocks,
  }
  const executor = await startWorker<ExecuteQuestion, ExecutedBlock>(
    workerFile('./executor', import.meta.url),
    { workerData, resourceLimits: { stackSizeMb: 32 } },
    onFatal,
  )
  opened.push(executor)
  const ledger = await openLedger({ directory, genesisHash, tree: false })
  opened.push(ledger)
  const validators = new Set(home.genesis.validators.map(({ key }) => key))
  const { listen, announce, bootstrap, mdns } = config.p2p
  const transport = await createTransport({
    genesisHash,
    nodeKeySeed: home.nodeKeySeed,
    listen,
    announce,
    bootstrap,
    mdns,
    addressBookFile: home.paths.addressBook,
    identity: validators.has(toHex(home.validatorKey.publicKey)) ? home.validatorKey : undefined,
    verify,
    isValidator: (key) => validators.has(key),
    logger,
    subscribe: ['transactions'],
  })
  const verifier = createVerifier({ workers: config.workers.verifiers })
  opened.push(verifier)
  const position = await readPosition(ledger)
  return { executor, ledger, verifier, transport, voting: await openVoting(home, logger), position }
}

/** A vote needs a place in the set and the very log that the set names: a node without its own intact log only follows. */
async function openVoting(home: Home, logger: Logger): Promise<Parts['voting']> {
  const entry = home.genesis.validators.find(({ key }) => key === toHex(home.validatorKey.publicKey))
  if (entry === undefined) return { reason: 'its key is not in the validator set' }
  const follow = (reason: string) => {
    logger.warn(`this validator follows and does not vote: ${reason}`)
    return { reason }
  }
  const opened = await openConsensusLog(home.paths.consensusLog)
  if ('fault' in opened) return follow(opened.reason)
  if (opened.log.id === entry.log)
    return { log: opened.log, records: opened.records.map((record) => decode(recordCodec, record)) }
  await opened.log.close()
  return follow(`its consensus log has the id ${opened.log.id}, the validator set names ${entry.log}`)
}

/** The height at which a transaction ran or was skipped for good. */
async function heightOf(ledger: Ledger, id: string): Promise<number | undefined> {
  const place = await ledger.findTransaction(id)
  if (place === undefined || place.executed) return place?.height
  const receipt = (await ledger.receipts(place.height))?.[place.index]
  return receipt?.code === 'NONCE_GAP' ? undefined : place.height
}

interface Running {
  readonly view: ApiNode
  start(): Promise<void>
  stop(): Promise<void>
}

/** Joins the parts. Each is told only what it needs; nothing below this function knows of any other part. */
function assemble(home: Home, parts: Parts, logger: Logger, fault: Fault): Running {
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
  const pool = createMempool({
    genesisHash,
    parameters: () => parameters,
    nonceOf: (sender) => readNonce(state, sender),
    mayTransact: (sender) => mayTransact(sender),
    intrinsicGas,
  })
  const edgeWith = (check: typeof verify) =>
    createEdge({
      genesisHash,
      epoch,
      validatorsHash,
      quorum: quorumOf(validators.length),
      verify: check,
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
    syncTarget: () => sync.target(),
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
        announce(false)
      },
      onReport(report) {
        if (report.type === 'view') {
          const { view, active } = report
          const primary = validators[primaryOf(epoch, view)]!.name
          logger.info({ view, primary }, active ? 'a view is active' : 'leaving a view: its primary made no progress')
          return
        }
        if (report.type === 'mismatch') {
          liveness.onMismatch(validators[report.validator]!.key, report.height, clock.monotonic())
        }
        metrics.onReport(report.type === 'evidence' ? report.kind : report.type)
        // What is kept is logged once, by the keeper.
        if (report.type === 'evidence') return evidence.add(report)
        logger.error({ report }, 'a validator contradicts this node')
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
  const sync = createSync({
    position: () => core.state,
    blockHashAt: ledger.blockHash,
    certificateFault: createCertificateCheck((check) => edgeWith(check).certificateFault, verifier.verifyBatch),
    request: transport.request,
    apply: replica.apply,
    blame,
    isStopped: () => core.state.diverged,
    onError: fault.report,
    report: (progress, message) => logger.info(progress, message),
    now: clock.monotonic,
    after: clock.after,
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
      sync.onPeerHeight(peer, status.h, validator !== null && index.has(validator))
    },
    onTransactions: intake.onFrame,
    blame,
    onError: fault.report,
    now: clock.monotonic,
  })
  const reads = createReads({
    options: { directory: home.paths.ledger, genesisHash, parameters },
    ledger,
    check: (wire) => pool.check(wire, core.state.lastExec),
    pendingNonce: pool.pendingNonce,
    onViewerLost: (error) =>
      logger.error({ err: error }, 'the thread for reads was lost; the next read starts another'),
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
    syncTarget: sync.target,
    fatal: fault.message,
  })

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

  transport.onFrame = inbound.onFrame
  transport.onRequest = (_peer, payload) => answerBlockRequest(ledger, payload)
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
    sync.onPeerGone(peer.id)
    inbound.onGone(peer.id)
  }

  let heartbeat: NodeJS.Timeout | undefined
  return {
    view: view.api,
    async start() {
      await view.load()
      await evidence.load()
      replica.start()
      await transport.start()
      heartbeat = setInterval(() => {
        announce(true)
        view.onBeat()
        intake.resend()
      }, STATUS_INTERVAL_MS)
    },
    async stop() {
      clearInterval(heartbeat)
      sync.stop()
      intake.stop()
      await transport.stop()
      await replica.stop()
      await evidence.settled()
      await reads.stop()
      await verifier.close()
      await voting?.log.close()
      await executor.close()
      await ledger.close()
    },
  }
}
