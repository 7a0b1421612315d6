// One real replica around a real core, over a log, a ledger and a clock that the test holds in its hands. Everything durable is a
// value that a crash keeps; everything else is lost.
import { createCore } from '../../src/consensus/core.ts'
import type { Delivery, Event } from '../../src/consensus/event.ts'
import { primaryOf } from '../../src/consensus/proposer.ts'
import { recordCodec } from '../../src/consensus/record.ts'
import { evidenceHashes } from '../../src/consensus/view-change.ts'
import { batchDigest } from '../../src/crypto/digest.ts'
import { sha256 } from '../../src/crypto/hash.ts'
import type { Proposing } from '../../src/proposing.ts'
import { createReplica, type ExecutedBlock } from '../../src/replica.ts'
import { type Batch, batchCodec, type Certificate, type Header } from '../../src/types/block.ts'
import type { Parameters } from '../../src/types/epoch.ts'
import type { CertifiedBlock } from '../../src/types/fetch.ts'
import { toHex } from '../../src/types/hex.ts'
import {
  type Message,
  type NewView,
  type Prepared,
  type Signed,
  type ViewChange,
  viewChangeCodec,
} from '../../src/types/message.ts'
import { decode, encode, list } from '../../src/types/schema.ts'
import { batchOf, epochOf, keyOf } from '../consensus/cluster.ts'
import { headerAt } from '../network-edge/support.ts'

const GENESIS = 'ab'.repeat(32)
const VALIDATORS_HASH = 'cd'.repeat(32)
const domain = { genesisHash: GENESIS, epoch: 0, validatorsHash: VALIDATORS_HASH }

export interface Disk {
  records: Uint8Array[]
  chain: string[]
  headers: Header[]
  batches: Uint8Array[]
  certificates: Certificate[]
  /** A quorum contradicts a block of the chain. */
  diverged?: boolean
}
/** What is durable after one write, and what was sent between that write and the next. */
export interface Moment {
  disk: Disk
  after: string
  sent: Message[]
}

/** Opens and closes like a door: `pass` waits while it is closed. */
export function createDoor() {
  let open: (() => void) | undefined
  let waiting = Promise.resolve()
  return {
    pass: () => waiting,
    close() {
      waiting = new Promise((resolve) => {
        open = resolve
      })
    },
    open: () => open?.(),
  }
}

/** Lets every promise that can go on go on. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve))
}

/** The primary of a view of four validators. */
export const leaderOf = (view: number): number => primaryOf(epochOf(4), view)
/** The batch that the primary of `view` proposes at `seq`. */
export const batchAt = (seq: number, label = 'block', view = 0): Batch => ({
  ...batchOf(`${label} ${seq}`, leaderOf(view), 10_000),
  view,
})
const hashAfter = (parent: string, digest: string) => toHex(sha256(Buffer.from(`${parent}${digest}`)))

/** The blocks that every correct node makes of the batches, with certificates. */
export function blocksUpTo(length: number): CertifiedBlock[] {
  const blocks: CertifiedBlock[] = []
  for (let height = 1; height <= length; height++) {
    const batch = batchAt(height)
    const blockHash = hashAfter(blocks.at(-1)?.certificate.blockHash ?? '', batchDigest(batch))
    const signatures = [0, 2, 3].map((signer) => ({ signer, signature: new Uint8Array(64) }))
    blocks.push({
      header: headerAt(height, { batchDigest: batchDigest(batch) }),
      certificate: { height, blockHash, signatures },
      batch: encode(batchCodec, batch),
    })
  }
  return blocks
}

// What the other validators say. Their signatures were checked at the edge, so here they are empty.
const signature = new Uint8Array(64)
const slotVote = <T extends 'pre-prepare' | 'prepare' | 'commit'>(
  type: T,
  signer: number,
  seq: number,
  batch: Batch,
  view: number,
): Signed<T> => ({ type, body: { ...domain, view, seq, digest: batchDigest(batch) }, signer, signature }) as Signed<T>

/** The proposal of the primary of the batch's view. */
export const proposalOf = (seq: number, batch = batchAt(seq)): Event => ({
  type: 'proposal',
  proposal: {
    prePrepare: slotVote('pre-prepare', leaderOf(batch.view), seq, batch, batch.view),
    prepare: slotVote('prepare', leaderOf(batch.view), seq, batch, batch.view),
    batch: encode(batchCodec, batch),
  },
  batch,
})
export const voteOf = (
  type: 'prepare' | 'commit',
  signer: number,
  seq: number,
  batch = batchAt(seq),
  view = batch.view,
): Event => ({ type: 'vote', vote: slotVote(type, signer, seq, batch, view) })
export const execOf = (signer: number, { certificate: { height, blockHash } }: CertifiedBlock): Event => ({
  type: 'vote',
  vote: { type: 'exec', body: { ...domain, height, blockHash }, signer, signature },
})
/** All that validators 0, 2 and 3 say to order a sequence. */
export const ordering = (seq: number): Event[] => [
  proposalOf(seq),
  voteOf('prepare', 2, seq),
  voteOf('prepare', 3, seq),
  voteOf('commit', 0, seq),
  voteOf('commit', 2, seq),
  voteOf('commit', 3, seq),
]

// How the others leave a view.
export const suspectOf = (signer: number, view: number): Event => ({
  type: 'vote',
  vote: { type: 'suspect', body: { ...domain, view }, signer, signature },
})
/** A prepared certificate of the first three validators. */
export const preparedOf = (seq: number, batch: Batch, view = batch.view): Prepared => ({
  view,
  seq,
  digest: batchDigest(batch),
  signatures: [0, 1, 2].map((signer) => ({ signer, signature })),
})
/** A VIEW-CHANGE that starts from `certified`, or from height 0. */
export function changeOf(
  signer: number,
  newView: number,
  prepared: Prepared[] = [],
  certified?: CertifiedBlock,
): ViewChange {
  const evidence = { header: certified?.header ?? null, certificate: certified?.certificate ?? null, prepared }
  const h = certified?.header.height ?? 0
  const body = { ...domain, newView, h, ...evidenceHashes(evidence) }
  return { vote: { type: 'view-change', body, signer, signature }, ...evidence }
}
export const changeEvent = (change: ViewChange): Event => ({ type: 'view-change', change })
export function newViewEvent(view: number, viewChanges: ViewChange[]): Event {
  const body = { ...domain, view, viewChangesHash: hashOfChanges(viewChanges) }
  const newView: NewView = { vote: { type: 'new-view', body, signer: leaderOf(view), signature }, viewChanges }
  return { type: 'new-view', newView }
}
const hashOfChanges = (viewChanges: ViewChange[]) => toHex(sha256(encode(list(viewChangeCodec, 100), viewChanges)))

/** What is in the lists never changes, so new lists are enough. */
const copyOf = ({ records, chain, headers, batches, certificates, diverged = false }: Disk): Disk => ({
  diverged,
  records: [...records],
  chain: [...chain],
  headers: [...headers],
  batches: [...batches],
  certificates: [...certificates],
})

export interface WorldOptions {
  validators?: number
  self?: number
  voting?: boolean
  disk?: Disk
  parameters?: Partial<Parameters>
  proposing?: Proposing
}

export function createWorld(options: WorldOptions = {}) {
  const { validators = 4, self = 1, voting = true, proposing } = options
  const disk: Disk = copyOf(options.disk ?? { records: [], chain: [], headers: [], batches: [], certificates: [] })
  const trace: string[] = []
  const moments: Moment[] = [{ disk: copyOf(disk), after: 'nothing', sent: [] }]
  const doors = { sync: createDoor(), execute: createDoor(), certificates: createDoor() }
  const faults: Partial<Record<'sync' | 'execute' | 'certificates', Error>> = {}
  const timers = new Set<{ at: number; callback: () => void }>()
  const state = {
    now: 10_000,
    hasWork: false,
    passedOverIn: undefined as number | undefined,
    logBytes: 0,
    fatal: [] as unknown[],
    reports: [] as Delivery[],
    waits: [] as number[],
  }
  let pending: Uint8Array[] = []

  function note(what: string, isWrite = false): void {
    trace.push(what)
    if (isWrite) moments.push({ disk: copyOf(disk), after: what, sent: [] })
  }
  async function passing(name: keyof typeof doors): Promise<void> {
    await doors[name].pass()
    if (faults[name] !== undefined) throw faults[name]
  }

  const h = disk.certificates.length
  const core = createCore({
    ...domain,
    epoch: epochOf(validators, options.parameters),
    self,
    voting,
    lastExec: disk.chain.length,
    h,
    certified: h === 0 ? undefined : { header: disk.headers[h - 1]!, certificate: disk.certificates[h - 1]! },
    uncertified: disk.chain.slice(h).map((hash, offset) => ({
      header: disk.headers[h + offset]!,
      hash,
      batch: disk.batches[h + offset]!,
    })),
    diverged: disk.diverged === true,
    sign: (bytes) => Uint8Array.of(...sha256(bytes), ...sha256(Buffer.from(keyOf(self)))),
    records: disk.records.map((record) => decode(recordCodec, record)),
  })

  const replica = createReplica({
    core,
    log: voting
      ? {
          append: (records) => void pending.push(...records),
          async sync() {
            note('syncing')
            const records = pending
            pending = []
            await passing('sync')
            // A write of several frames may end after any of them.
            for (const [index, record] of records.entries()) {
              disk.records.push(record)
              if (index < records.length - 1) moments.push({ disk: copyOf(disk), after: 'a torn write', sent: [] })
            }
            note('synced', true)
          },
          async rewrite(records) {
            pending = []
            await passing('sync')
            disk.records = [...records]
            state.logBytes = 0
            note('rewritten', true)
          },
          bytes: () => state.logBytes,
        }
      : undefined,
    proposing,
    async execute(height, bytes): Promise<ExecutedBlock> {
      note(`execute ${height}`)
      await passing('execute')
      const digest = batchDigest(decode(batchCodec, bytes))
      const blockHash = hashAfter(disk.chain.at(-1) ?? '', digest)
      const header = headerAt(height, { batchDigest: digest })
      disk.chain.push(blockHash)
      disk.headers.push(header)
      disk.batches.push(bytes)
      note(`executed ${height}`, true)
      return { header, blockHash, transactions: [], nextNonces: [] }
    },
    async putCertificates(certificates) {
      await passing('certificates')
      for (const certificate of certificates) disk.certificates[certificate.height - 1] = certificate
      note(`certificates ${certificates.map(({ height }) => height).join()}`, true)
    },
    async putDivergence() {
      await passing('certificates')
      disk.diverged = true
      note('divergence', true)
    },
    send({ message }) {
      moments.at(-1)!.sent.push(message)
      note(`send ${nameOf(message)}`)
    },
    hasWork: () => state.hasWork,
    passedOverIn: () => state.passedOverIn,
    clock: {
      now: () => state.now,
      monotonic: () => state.now,
      after(delayMs, callback) {
        const timer = { at: state.now + delayMs, callback }
        timers.add(timer)
        return () => timers.delete(timer)
      },
    },
    observer: {
      onExecuted: () => {},
      onCertified: ({ height }) => note(`certified ${height}`),
      onReport: (report) => state.reports.push(report),
      onSent: (waitedMs) => state.waits.push(waitedMs),
      onFatal: (error) => state.fatal.push(error),
    },
  })

  return {
    core,
    replica,
    disk,
    trace,
    moments,
    doors,
    faults,
    timers,
    state,
    sent: () => trace.filter((line) => line.startsWith('send ')),
    count: (line: string) => trace.filter((each) => each === line).length,
    executed: () => trace.filter((line) => line.startsWith('executed ')).map((line) => Number(line.split(' ')[1])),
    pushAll(events: Event[]) {
      for (const event of events) replica.push(event)
    },
    /** Time passes, and what was due happens. */
    async pass(delayMs: number) {
      state.now += delayMs
      for (const timer of [...timers]) {
        if (timer.at > state.now) continue
        timers.delete(timer)
        timer.callback()
      }
      await settle()
    },
  }
}

function nameOf(message: Message): string {
  if (message.type === 'proposal') return `proposal ${message.prePrepare.body.seq}`
  if (message.type === 'prepare' || message.type === 'commit') return `${message.type} ${message.vote.body.seq}`
  if (message.type === 'exec') return `exec ${message.vote.body.height}`
  if (message.type === 'view-change') return `view-change ${message.change.vote.body.newView}`
  return message.type === 'new-view' ? `new-view ${message.newView.vote.body.view}` : message.type
}

/** What each vote among the messages says, by what it votes on. */
export function votesIn(messages: Message[]): [slot: string, digest: string][] {
  return messages.flatMap((message): [string, string][] => {
    if (message.type === 'proposal')
      return [message.prePrepare, message.prepare].map((vote) => [`${vote.type} ${vote.body.seq}`, vote.body.digest])
    if (message.type !== 'prepare' && message.type !== 'commit') return []
    return [[`${message.type} ${message.vote.body.seq}`, message.vote.body.digest]]
  })
}

/** A world whose replica runs. */
export async function started(options?: WorldOptions) {
  const world = createWorld(options)
  world.replica.start()
  await settle()
  return world
}
