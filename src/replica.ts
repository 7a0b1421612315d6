// The driver: one loop around the pure core. Event -> step -> save -> send -> execute -> certify, one round at a time; what arrives
// during a round's disk write waits for the next one and shares its write (group commit).
import type { Core } from './consensus/core.ts'
import type { Delivery, Effects, Event, Outgoing } from './consensus/event.ts'
import { recordCodec } from './consensus/record.ts'
import { LOG_REWRITE_BYTES } from './limits.ts'
import type { Proposing } from './proposing.ts'
import type { Certificate, Header } from './types/block.ts'
import type { CertifiedBlock } from './types/fetch.ts'
import { encode } from './types/schema.ts'

/** What the executor made of one batch; durable in the ledger when it is returned. */
export interface ExecutedBlock {
  header: Header
  blockHash: string
  /** In order; `final` is false for a transaction that may still run later (`NONCE_GAP`). */
  transactions: { id: string; sender: string; nonce: number; final: boolean }[]
  /** Senders (keys) whose next nonce changed, with the new one. */
  nextNonces: [sender: string, nonce: number][]
}

export interface ReplicaPorts {
  core: Core
  /** Undefined for a node without a vote: it promises nothing, so it has nothing to remember. */
  log: VoteLog | undefined
  /** Undefined for a node that never proposes. */
  proposing: Proposing | undefined
  execute(height: number, batch: Uint8Array): Promise<ExecutedBlock>
  /** Certified blocks the executor takes at once, to work on one behind the other without a pause; 1 unless told. */
  executingMax?: number
  putCertificates(certificates: Certificate[]): Promise<void>
  /** A quorum vouches for another block than ours, whose hash is `ours`: no restart may forget it. */
  putDivergence(certificate: Certificate, ours: string): Promise<void>
  send(outgoing: Outgoing): void
  /** True while the pool holds a transaction that could run now. */
  hasWork(): boolean
  /** The view whose blocks pass over a transaction of the pool, or undefined. */
  passedOverIn?(): number | undefined
  clock: Clock
  observer: ReplicaObserver
}

export interface VoteLog {
  append(records: Uint8Array[]): void
  sync(): Promise<void>
  rewrite(records: Uint8Array[]): Promise<void>
  bytes(): number
}

export interface Clock {
  /** Milliseconds since 1970. */
  now(): number
  /** Milliseconds on a clock that never jumps. */
  monotonic(): number
  /** Runs `callback` after a delay; returns what cancels it. */
  after(delayMs: number, callback: () => void): () => void
}

export interface ReplicaObserver {
  onExecuted(block: ExecutedBlock): void
  onCertified(certificate: Certificate): void
  onReport(report: Exclude<Delivery, { type: 'execute' | 'certified' }>): void
  /** Messages have left; the first of the events they follow from had waited so long, the log's sync included. */
  onSent?(waitedMs: number): void
  /** The replica stopped: a broken invariant or a failed disk write. Nothing is retried. */
  onFatal(error: unknown): void
}

/** Events handled in one round at most: a flood never delays a vote by more than one round. */
const ROUND_EVENTS_MAX = 1_024
const TICK_MS = 100

export interface Replica {
  start(): void
  push(event: Event): void
  /** Says that the pool may have something to propose. */
  wake(): void
  /** Certified blocks from a peer, verified and in order. Resolves when the last of them is executed. */
  apply(blocks: CertifiedBlock[]): Promise<void>
  stop(): Promise<void>
}

export function createReplica(ports: ReplicaPorts): Replica {
  const { core, clock } = ports
  const inbox: Event[] = []
  /** When the oldest event in the inbox came. */
  let waitingSince = 0
  let pushed = 0
  let handled = 0
  const awaiting: { upTo: number; resolve: () => void }[] = []
  let round: Promise<void> | undefined
  let stopped = false
  let rewriteAtBytes = LOG_REWRITE_BYTES
  let cancelTick = () => {}
  let cancelBatch: (() => void) | undefined
  let queuedHeight = core.state.lastDelivered
  /** The active view that `proposing` counts for: a new one has other batches in flight. */
  let proposingView: number | undefined
  let executing: Promise<void> = Promise.resolve()
  /** The last block was given to the executor, which takes them in order. */
  let given: Promise<unknown> = Promise.resolve()
  /** The ends of the last blocks, so many as the executor takes at once. */
  const ends: Promise<void>[] = []
  /**
   * Executed blocks that came with certificates, told together: one write keeps all their certificates, and the executor's own
   * writes to the same disk wait for fewer of them.
   */
  const executed: Event[] = []

  function fail(error: unknown): void {
    if (stopped) return
    stopped = true
    cancelTick()
    cancelBatch?.()
    resolveHandled()
    ports.observer.onFatal(error)
  }

  function push(event: Event): void {
    if (stopped) return
    if (inbox.length === 0) waitingSince = clock.monotonic()
    inbox.push(event)
    pushed++
    wake()
  }

  function wake(): void {
    if (stopped || round !== undefined) return
    round = Promise.resolve()
      .then(runRounds)
      .catch(fail)
      .finally(() => {
        round = undefined
        if (inbox.length > 0) wake()
      })
  }

  async function runRounds(): Promise<void> {
    while (!stopped) {
      await runRound()
      if (inbox.length === 0) return
    }
  }

  async function runRound(): Promise<void> {
    const effects: Effects = { save: [], send: [], deliver: [] }
    collect(effects, {
      type: 'tick',
      now: clock.now(),
      at: clock.monotonic(),
      hasWork: ports.hasWork(),
      passedOverIn: ports.passedOverIn?.(),
    })
    const since = inbox.length === 0 ? clock.monotonic() : waitingSince
    const events = inbox.splice(0, ROUND_EVENTS_MAX)
    for (const event of events) collect(effects, event)
    handled += events.length
    resolveHandled()
    propose(effects)
    const certificates = effects.deliver
      .filter((delivery) => delivery.type === 'certified')
      .map(({ certificate }) => certificate)
    await save(effects, certificates)
    for (const outgoing of effects.send) ports.send(outgoing)
    if (effects.send.length > 0) ports.observer.onSent?.(clock.monotonic() - since)
    deliver(effects.deliver)
    await compactLog()
  }

  function collect(into: Effects, event: Event): void {
    const { save, send, deliver } = core.step(event)
    into.save.push(...save)
    into.send.push(...send)
    into.deliver.push(...deliver)
  }

  /** Proposing comes last in a round; view and window are asked again for each batch. */
  function propose(effects: Effects): void {
    const { proposing } = ports
    if (proposing === undefined) return
    const { active, view } = core.state
    if (active && proposingView !== view) proposing.reset(core.openBatches())
    proposingView = active ? view : undefined
    for (let seq = core.proposalSlot(); seq !== undefined; seq = core.proposalSlot()) {
      const place = { seq, view, inFlightBlocks: core.inFlight(), now: clock.now(), at: clock.monotonic() }
      const body = proposing.next(place)
      if (body === undefined) return closeBatchLater()
      collect(effects, { type: 'propose', body })
    }
  }

  /** An open batch is looked at again when its delay is over. */
  function closeBatchLater(): void {
    if (cancelBatch !== undefined || core.inFlight() === 0) return
    cancelBatch = clock.after(core.state.epoch.parameters.batchDelayMs, () => {
      cancelBatch = undefined
      wake()
    })
  }

  /** Certificates, the contradicting one too, come before anything leaves: after a crash this node is where these votes saw it. */
  async function save(effects: Effects, certificates: Certificate[]): Promise<void> {
    const certifying = certificates.length > 0 ? ports.putCertificates(certificates) : Promise.resolve()
    const divergence = effects.deliver.find((delivery) => delivery.type === 'diverged')
    const keeping = divergence && ports.putDivergence(divergence.certificate, divergence.ours)
    await Promise.all([certifying, keeping, saveRecords(effects, certifying)])
  }

  async function saveRecords(effects: Effects, certifying: Promise<void>): Promise<void> {
    if (effects.save.length === 0) return
    if (ports.log === undefined) throw new Error('a node without a consensus log was asked to vote')
    // First the certificates: a record of a slot that is in the window only because of them would be left out at a restart, which
    // would then vote anew, and two records of one slot would be in the log. What they put out of the window is dropped by a rewrite.
    await certifying
    ports.log.append(effects.save.map((record) => encode(recordCodec, record)))
    await ports.log.sync()
  }

  /** After the round's messages have left: what the rewrite drops (the first of two VIEW-CHANGEs of one round) still backed them. */
  async function compactLog(): Promise<void> {
    if (ports.log === undefined || ports.log.bytes() <= rewriteAtBytes) return
    await ports.log.rewrite(core.liveRecords().map((record) => encode(recordCodec, record)))
    rewriteAtBytes = Math.max(LOG_REWRITE_BYTES, 2 * ports.log.bytes())
  }

  function deliver(deliveries: Delivery[]): void {
    const certificates: Certificate[] = []
    for (const delivery of deliveries) {
      if (delivery.type === 'execute') enqueue(delivery.seq, delivery.body.bytes)
      else if (delivery.type === 'certified') certificates.push(delivery.certificate)
      else ports.observer.onReport(delivery)
    }
    for (const certificate of certificates) ports.observer.onCertified(certificate)
  }

  /** The one way a block is applied, whatever brought it: `height` must be the next one, anything else was applied already. */
  function enqueue(height: number, batch: Uint8Array, certificate?: Certificate): void {
    if (height !== queuedHeight + 1) return
    queuedHeight = height
    // What votes commit waits for the block before it, as it may be another one by now; what a quorum certified cannot change any more.
    const room = certificate === undefined ? executing : ends.at(-(ports.executingMax ?? 1))
    const question = Promise.all([given, room]).then(() => {
      if (stopped || core.state.diverged) return undefined
      const answer = ports.execute(height, batch)
      // Handled below, in its turn.
      answer.catch(() => {})
      return { answer }
    })
    given = question
    executing = Promise.all([executing, question]).then(async ([, asked]) => {
      if (asked === undefined) return
      const block = await asked.answer
      ports.proposing?.onExecuted(height)
      ports.observer.onExecuted(block)
      const event: Event = { type: 'executed', header: block.header, blockHash: block.blockHash, certificate }
      if (certificate !== undefined && executed.push(event) < (ports.executingMax ?? 1)) return
      pushExecuted()
      if (certificate === undefined) push(event)
    })
    ends.push(executing)
    if (ends.length > (ports.executingMax ?? 1)) ends.shift()
    executing.catch(fail)
  }

  async function apply(blocks: CertifiedBlock[]): Promise<void> {
    for (const { header, certificate, batch } of blocks) {
      if (header.height > queuedHeight) enqueue(header.height, batch, certificate)
      // On its way or done without a certificate: it gets this one once it is there.
      else
        executing = executing.then(() => {
          pushExecuted()
          push({ type: 'certificate', certificate })
        })
    }
    await executing
    pushExecuted()
    await allHandled()
  }

  function pushExecuted(): void {
    for (const event of executed.splice(0)) push(event)
  }

  /** Resolves when the core has seen every event that is there now. */
  function allHandled(): Promise<void> {
    if (stopped || handled === pushed) return Promise.resolve()
    return new Promise((resolve) => awaiting.push({ upTo: pushed, resolve }))
  }

  function resolveHandled(): void {
    while (awaiting.length > 0 && (stopped || awaiting[0]!.upTo <= handled)) awaiting.shift()!.resolve()
  }

  function tick(): void {
    cancelTick = clock.after(TICK_MS, () => {
      wake()
      tick()
    })
  }

  return {
    start() {
      push({ type: 'start' })
      tick()
    },
    push,
    wake,
    apply,
    async stop() {
      stopped = true
      cancelTick()
      cancelBatch?.()
      resolveHandled()
      await round
      await executing.catch(() => {})
    },
  }
}
