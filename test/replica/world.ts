// One real replica around a real core, over a log, a ledger and a clock that the test holds in its hands. Everything durable is a
// value that a crash keeps; everything else is lost.
import { createCore } from '../../src/consensus/core.ts'
import type { Delivery, Event } from '../../src/consensus/event.ts'
import { recordCodec } from '../../src/consensus/record.ts'
import { batchDigest } from '../../src/crypto/digest.ts'
import { sha256 } from '../../src/crypto/hash.ts'
import type { Proposing } from '../../src/proposing.ts'
import { createReplica, type ExecutedBlock } from '../../src/replica.ts'
import { type Batch, batchCodec, type Certificate } from '../../src/types/block.ts'
import type { Parameters } from '../../src/types/epoch.ts'
import type { CertifiedBlock } from '../../src/types/fetch.ts'
import { toHex } from '../../src/types/hex.ts'
import type { Message, Signed } from '../../src/types/message.ts'
import { decode, encode } from '../../src/types/schema.ts'
import { batchOf, epochOf, keyOf } from '../consensus/cluster.ts'
import { headerAt } from '../network-edge/support.ts'

const GENESIS = 'ab'.repeat(32)
const VALIDATORS_HASH = 'cd'.repeat(32)
const domain = { genesisHash: GENESIS, epoch: 0, validatorsHash: VALIDATORS_HASH }

export interface Disk {
  records: Uint8Array[]
  chain: string[]
  certificates: Certificate[]
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

/** The batch that the primary, validator 0, proposes at `seq`. */
export const batchAt = (seq: number, label = 'block'): Batch => batchOf(`${label} ${seq}`, 0)
const hashAfter = (parent: string, digest: string) => toHex(sha256(Buffer.from(`${parent}${digest}`)))

/** The blocks that every correct node makes of the batches, with certificates. */
export function blocksUpTo(length: number): CertifiedBlock[] {
  const blocks: CertifiedBlock[] = []
  for (let height = 1; height <= length; height++) {
    const batch = batchAt(height)
    const blockHash = hashAfter(blocks.at(-1)?.certificate.blockHash ?? '', batchDigest(batch))
    const signatures = [0, 2, 3].map((signer) => ({ signer, signature: new Uint8Array(64) }))
    blocks.push({
      header: headerAt(height),
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
): Signed<T> =>
  ({ type, body: { ...domain, view: 0, seq, digest: batchDigest(batch) }, signer, signature }) as Signed<T>

export const proposalOf = (seq: number, batch = batchAt(seq)): Event => ({
  type: 'proposal',
  proposal: {
    prePrepare: slotVote('pre-prepare', 0, seq, batch),
    prepare: slotVote('prepare', 0, seq, batch),
    batch: encode(batchCodec, batch),
  },
  batch,
})
export const voteOf = (type: 'prepare' | 'commit', signer: number, seq: number): Event => ({
  type: 'vote',
  vote: slotVote(type, signer, seq, batchAt(seq)),
})
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

interface WorldOptions {
  validators?: number
  self?: number
  voting?: boolean
  disk?: Disk
  parameters?: Partial<Parameters>
  proposing?: Proposing
}

export function createWorld(options: WorldOptions = {}) {
  const { validators = 4, self = 1, voting = true, proposing } = options
  const disk: Disk = structuredClone(options.disk ?? { records: [], chain: [], certificates: [] })
  const trace: string[] = []
  const moments: Moment[] = [{ disk: structuredClone(disk), after: 'nothing', sent: [] }]
  const doors = { sync: createDoor(), execute: createDoor(), certificates: createDoor() }
  const faults: Partial<Record<'sync' | 'execute' | 'certificates', Error>> = {}
  const timers = new Set<{ at: number; callback: () => void }>()
  const state = { now: 10_000, logBytes: 0, fatal: [] as unknown[], reports: [] as Delivery[] }
  let pending: Uint8Array[] = []

  function note(what: string, isWrite = false): void {
    trace.push(what)
    if (isWrite) moments.push({ disk: structuredClone(disk), after: what, sent: [] })
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
    certificate: disk.certificates.at(-1),
    uncertified: disk.chain.slice(h).map((blockHash, offset) => ({ height: h + 1 + offset, blockHash })),
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
            disk.records.push(...records)
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
      const blockHash = hashAfter(disk.chain.at(-1) ?? '', batchDigest(decode(batchCodec, bytes)))
      disk.chain.push(blockHash)
      note(`executed ${height}`, true)
      return { header: headerAt(height), blockHash, transactions: [], nextNonces: [] }
    },
    async putCertificates(certificates) {
      await passing('certificates')
      for (const certificate of certificates) disk.certificates[certificate.height - 1] = certificate
      note(`certificates ${certificates.map(({ height }) => height).join()}`, true)
    },
    send({ message }) {
      moments.at(-1)!.sent.push(message)
      note(`send ${nameOf(message)}`)
    },
    clock: {
      now: () => state.now,
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
  return message.type === 'exec' ? `exec ${message.vote.body.height}` : message.type
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

/**
 * Crashes after each durable write there was, just before the next one, and starts again from what is durable. A lying primary then
 * proposes something else for every sequence. Lists the votes that contradict one sent before.
 */
export async function contradictionsAfterCrashes(
  moments: Moment[],
  known: CertifiedBlock[],
  options: WorldOptions = {},
): Promise<string[]> {
  const found: string[] = []
  const said = new Map<string, string>()
  for (const [index, { disk, after, sent }] of moments.entries()) {
    for (const [slot, digest] of votesIn(sent)) said.set(slot, digest)
    const { replica, pushAll, moments: later, state } = createWorld({ ...options, disk })
    replica.start()
    await settle()
    const certified = known
      .slice(0, disk.chain.length)
      .map(({ certificate }): Event => ({ type: 'certificate', certificate }))
    for (const isCaughtUp of [false, true]) {
      if (isCaughtUp) pushAll(certified)
      for (let seq = 1; seq <= known.length; seq++) replica.push(proposalOf(seq, batchAt(seq, 'lie')))
      await settle()
    }
    await replica.stop()
    if (state.fatal.length > 0) found.push(`${String(state.fatal[0])} after crash ${index}, after "${after}"`)
    for (const [slot, digest] of votesIn(later.flatMap((moment) => moment.sent))) {
      const before = said.get(slot)
      if (before !== undefined && before !== digest)
        found.push(`a second ${slot} after crash ${index}, after "${after}"`)
    }
  }
  return found
}
