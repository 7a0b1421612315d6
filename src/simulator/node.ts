// One simulated node: the real replica, core, pool, intake, edge, inbound and catch-up, joined as src/assembly.ts joins them, over the
// simulator's clock, disk, ledger and network. Everything that depends on their interfaces is in this file.
import { type Core, createCore } from '../consensus/core.ts'
import type { Delivery, Effects, Event, Outgoing } from '../consensus/event.ts'
import { recordCodec } from '../consensus/record.ts'
import { transactionId } from '../crypto/digest.ts'
import type { Verifier } from '../crypto/verifier.ts'
import { intrinsicGas } from '../execution/cost.ts'
import { createInbound } from '../inbound.ts'
import { createIntake, type IntakeResult } from '../intake.ts'
import { STATUS_INTERVAL_MS } from '../limits.ts'
import { createMempool } from '../mempool/mempool.ts'
import { createEdge, isLarge } from '../network/edge.ts'
import { createVerifyBudget } from '../network/verify-budget.ts'
import { createProposing, type ProposalPool } from '../proposing.ts'
import { createReplica, type VoteLog } from '../replica.ts'
import { answerBlockRequest, createSync } from '../sync.ts'
import type { EpochRecord } from '../types/epoch.ts'
import { type Message, messageCodec } from '../types/message.ts'
import { quorumOf } from '../types/quorum.ts'
import { decode, encode } from '../types/schema.ts'
import type { ChainBlock, Execution } from './execution.ts'
import type { Key, Scheme } from './keys.ts'
import type { SimulatedLedger } from './ledger.ts'
import type { Channel, Endpoint } from './network.ts'

/** Whether the core under test changes views: without it nothing commits while the first primary is away. */
export const HAS_VIEW_CHANGES: boolean = true

export interface NodeOptions {
  genesisHash: string
  epoch: EpochRecord
  validatorsHash: string
  self: number
  key: Key
  scheme: Scheme
  verifier: Pick<Verifier, 'judgeBatch' | 'verifyBatch'>
  log: VoteLog
  records: Uint8Array[]
  ledger: SimulatedLedger
  execution: Execution
  /** How long running a block takes. */
  executing(): Promise<void>
  /** Wall clock in ms; what it says may jump. */
  now(): number
  /** Milliseconds that only ever go on. */
  monotonic(): number
  after(delayMs: number, callback: () => void): () => void
  network: NodeNetwork
  watch: NodeWatch
  /** What a censoring proposer does with its pool. */
  poolOf?(pool: ProposalPool): ProposalPool
}

/** Peers by number, validators by their index. */
export interface NodeNetwork {
  peers(): number[]
  validatorOf(peer: number): number | undefined
  sendToValidator(validator: number, channel: Channel, frame: Uint8Array, message: Message | undefined): void
  send(peer: number, channel: Channel, frame: Uint8Array): void
  request(peer: number, payload: Uint8Array, timeoutMs: number): Promise<Uint8Array>
  drop(peer: number, reason: string): void
}

export interface NodeWatch {
  onStep(event: Event, effects: Effects): void
  onSend(outgoing: Outgoing): void
  onReport(report: Extract<Delivery, { type: 'evidence' | 'mismatch' | 'diverged' }>): void
  onFatal(error: unknown): void
}

export interface SimulatedNode extends Endpoint {
  core: Core
  start(): void
  submit(wire: Uint8Array): Promise<IntakeResult>
  /** Whether it sends this transaction to the validators until it has run. */
  answersFor(id: string): boolean
}

export function createNode(options: NodeOptions): SimulatedNode {
  const { genesisHash, epoch, validatorsHash, self, ledger, network, watch, now, monotonic, after } = options
  const { validators, parameters } = epoch
  const core = watchCore(createCoreOf(options), watch)
  const pool = createMempool({
    genesisHash,
    parameters: () => parameters,
    nonceOf: (sender) => ledger.head().nonces.get(sender) ?? 0,
    mayTransact: () => true,
    intrinsicGas,
  })
  const quorum = quorumOf(validators.length)
  const edge = createEdge({
    genesisHash,
    epoch,
    validatorsHash,
    quorum,
    verify: options.scheme.verify,
    verifyFast: options.scheme.verify,
    ...createVerifyBudget({ quorum, windowBlocks: parameters.windowBlocks, now: monotonic }),
    isWanted: core.isWanted,
  })
  const proposing = createProposing(options.poolOf?.(pool) ?? pool, parameters, options.key.publicKey)
  const blame = (peer: string, reason: string) => network.drop(Number(peer), reason)

  const replica = createReplica({
    core,
    log: options.log,
    proposing,
    hasWork: () => pool.hasExecutable(() => 0),
    clock: { now, monotonic, after },
    async execute(height, batch): Promise<ChainBlock> {
      await options.executing()
      const block = options.execution.execute(ledger.head(), batch)
      if (block.header.height !== height)
        throw new Error(`block ${height} was asked for, ${block.header.height} is next`)
      await ledger.commitBlock(block)
      return block
    },
    putCertificates: (certificates) => ledger.putCertificates(certificates),
    putDivergence: (certificate, ours) => ledger.putDivergence(certificate, ours),
    send(outgoing) {
      watch.onSend(outgoing)
      const { to, message } = outgoing
      const channel = isLarge(message) ? 'proposals' : 'consensus'
      const frame = encode(messageCodec, message)
      const receivers = to === 'all' ? validators.keys() : [to]
      for (const receiver of receivers) {
        if (receiver !== self) network.sendToValidator(receiver, channel, frame, message)
      }
    },
    observer: {
      onExecuted: (block) => void pool.onExecuted(block.header.height, block.transactions, new Map(block.nextNonces)),
      onCertified: () => inbound.onMoved(),
      onReport(report) {
        if (report.type === 'view') inbound.onMoved()
        else watch.onReport(report)
      },
      onFatal: watch.onFatal,
    },
  })
  const intake = createIntake({
    pool,
    verifier: options.verifier,
    executedHeight: () => core.state.lastExec,
    now: monotonic,
    after,
    onError: watch.onFatal,
    broadcast(frame) {
      for (const peer of network.peers()) network.send(peer, 'transactions', frame)
    },
    sendTo: (peer, frame) => network.send(Number(peer), 'transactions', frame),
    onAdmitted: replica.wake,
    blame,
  })
  const sync = createSync({
    position: () => core.state,
    blockHashAt: async (height) => ledger.block(height)?.blockHash,
    certificateFault: edge.certificateFault,
    request: (peer, payload, { timeoutMs }) => network.request(Number(peer), payload, timeoutMs),
    apply: replica.apply,
    blame,
    isStopped: () => core.state.diverged,
    onError: watch.onFatal,
    now: monotonic,
    after,
  })
  const index = new Map(validators.map(({ key }, position) => [key, position]))
  const inbound = createInbound({
    core,
    edge,
    replica,
    verifier: options.verifier,
    rules: { genesisHash, parameters, intrinsicGas, isVerified: pool.seen.has },
    markVerified: pool.seen.add,
    validatorIndex: (key) => index.get(key),
    onStatus: (peer, validator, status) => sync.onPeerHeight(peer, status.h, validator !== null),
    onTransactions: intake.onFrame,
    blame,
    onError: watch.onFatal,
    now: monotonic,
  })

  const statusFrame = () => encode(messageCodec, { type: 'status', ...core.status() })
  const blockSource = {
    certifiedHeight: ledger.certifiedHeight,
    header: async (height: number) => ledger.block(height)?.header,
    batch: async (height: number) => ledger.block(height)?.batch,
    certificate: async (height: number) => ledger.certificate(height),
  }

  function heartbeat(): void {
    after(STATUS_INTERVAL_MS, () => {
      const frame = statusFrame()
      for (const peer of network.peers()) network.send(peer, 'consensus', frame)
      intake.resend()
      heartbeat()
    })
  }

  return {
    core,
    start() {
      replica.start()
      heartbeat()
    },
    submit: (wire) => intake.submit(wire, 'client'),
    answersFor: (id) => pool.has(id) && pool.local().some(({ unsigned }) => transactionId(unsigned) === id),
    onFrame(from, channel, frame) {
      const validator = network.validatorOf(from)
      const key = validator === undefined ? null : validators[validator]!.key
      inbound.onFrame({ id: String(from), validator: key }, channel, frame)
    },
    onRequest: (_from, payload) => answerBlockRequest(blockSource, payload),
    onConnect(peer) {
      const validator = network.validatorOf(peer)
      if (validator !== undefined) {
        core.onConnect(validator)
        intake.onValidator(String(peer))
      }
      network.send(peer, 'consensus', statusFrame())
    },
    onDisconnect(peer) {
      sync.onPeerGone(String(peer))
      inbound.onGone(String(peer))
    },
  }
}

/** From what is durable: the log's records, and how far the ledger has executed and certified. */
function createCoreOf({ genesisHash, epoch, validatorsHash, self, key, records, ledger }: NodeOptions): Core {
  const lastExec = ledger.head().header.height
  const h = ledger.certifiedHeight()
  const uncertified = []
  for (let height = h + 1; height <= lastExec; height++) {
    const { header, blockHash: hash, batch } = ledger.block(height)!
    uncertified.push({ header, hash, batch })
  }
  const certificate = ledger.certificate(h)
  return createCore({
    genesisHash,
    epoch,
    validatorsHash,
    self,
    voting: true,
    lastExec,
    h,
    certified: certificate && { header: ledger.block(h)!.header, certificate },
    diverged: ledger.hasDiverged(),
    uncertified,
    sign: key.sign,
    records: records.map((record) => decode(recordCodec, record)),
  })
}

function watchCore(core: Core, watch: NodeWatch): Core {
  return {
    ...core,
    step(event) {
      const effects = core.step(event)
      watch.onStep(event, effects)
      return effects
    },
  }
}
