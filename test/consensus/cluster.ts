// A whole set of cores in one process over an in-memory network: messages wait in a queue and travel one at a time, so a test decides
// what arrives. Blocks are "executed" by hashing the chain of digests; signatures are real bytes of a toy scheme.
import { type Core, createCore } from '../../src/consensus/core.ts'
import type { Delivery, Effects, Event } from '../../src/consensus/event.ts'
import type { LogRecord } from '../../src/consensus/record.ts'
import { batchDigest } from '../../src/crypto/digest.ts'
import { sha256 } from '../../src/crypto/hash.ts'
import { PARAMETER_DEFAULTS } from '../../src/limits.ts'
import { type Batch, batchCodec, type Certificate, type Header, ZERO_HASH } from '../../src/types/block.ts'
import type { EpochRecord, Parameters } from '../../src/types/epoch.ts'
import { toHex } from '../../src/types/hex.ts'
import { type Message, messageCodec } from '../../src/types/message.ts'
import { decode, encode } from '../../src/types/schema.ts'

const GENESIS = 'ab'.repeat(32)
const VALIDATORS_HASH = 'cd'.repeat(32)

/** The fields that every signed body of these networks starts with. */
export const DOMAIN = { genesisHash: GENESIS, epoch: 0, validatorsHash: VALIDATORS_HASH }

export const keyOf = (index: number): string => toHex(sha256(new TextEncoder().encode(`key ${index}`)))

export const signatureOf = (index: number, bytes: Uint8Array): Uint8Array =>
  Buffer.concat([sha256(bytes), sha256(Buffer.from(keyOf(index)))])

export const messageIn = ({ bytes }: Envelope): Message => decode(messageCodec, bytes)

export function epochOf(n: number, parameters: Partial<Parameters> = {}): EpochRecord {
  const validators = Array.from({ length: n }, (_, index) => ({
    name: `node-${index}`,
    key: keyOf(index),
    log: keyOf(index),
  }))
  return {
    epoch: 0,
    start: 0,
    validators,
    parameters: { ...PARAMETER_DEFAULTS, ...parameters },
    proposers: new Uint8Array(),
  }
}

export function batchOf(label: string, proposer: number, time = 1_000): Batch {
  return { view: 0, proposer: keyOf(proposer), time, txs: [new TextEncoder().encode(label)] }
}

export interface Envelope {
  from: number
  to: number
  bytes: Uint8Array
}

export type ObservedEffect = { save: LogRecord } | { send: Message; to: number | 'all' } | { deliver: Delivery }

/** What survives a crash: the log's records and the executed chain. */
interface Disk {
  records: LogRecord[]
  chain: string[]
  headers: Header[]
  batches: Batch[]
  certificates: Certificate[]
  diverged: boolean
}

export class Cluster {
  readonly epoch: EpochRecord
  readonly disks: Disk[] = []
  readonly cores: (Core | undefined)[] = []
  readonly reports: { at: number; report: Delivery }[] = []
  queue: Envelope[] = []
  now = 1_000
  /** Whether the pools held work at the last tick. */
  private hasWork = false
  /** Return false to lose a message. */
  filter: (envelope: { from: number; to: number; message: Message }) => boolean = () => true
  /** Hears each effect when it is obeyed. */
  observe: (index: number, effect: ObservedEffect) => void = () => {}
  /** Nodes whose execution is wrong. */
  readonly misexecuting = new Set<number>()

  constructor(n: number, parameters: Partial<Parameters> = {}) {
    this.epoch = epochOf(n, parameters)
    for (let index = 0; index < n; index++) {
      this.disks.push({ records: [], chain: [], headers: [], batches: [], certificates: [], diverged: false })
      this.cores.push(undefined)
      this.start(index)
    }
  }

  start(index: number): void {
    const disk = this.disks[index]!
    const h = disk.certificates.length
    const core = createCore({
      genesisHash: GENESIS,
      epoch: this.epoch,
      validatorsHash: VALIDATORS_HASH,
      self: index,
      voting: true,
      lastExec: disk.chain.length,
      h,
      certified: h === 0 ? undefined : { header: disk.headers[h - 1]!, certificate: disk.certificates[h - 1]! },
      uncertified: disk.chain.slice(h).map((hash, offset) => ({
        header: disk.headers[h + offset]!,
        hash,
        batch: encode(batchCodec, disk.batches[h + offset]!),
      })),
      diverged: disk.diverged,
      sign: (bytes) => signatureOf(index, bytes),
      records: [...disk.records],
    })
    this.cores[index] = core
    this.step(index, { type: 'tick', now: this.now, at: this.now, hasWork: false })
    this.step(index, { type: 'start' })
  }

  crash(index: number): void {
    this.cores[index] = undefined
    this.queue = this.queue.filter((envelope) => envelope.to !== index && envelope.from !== index)
  }

  /** One step and all that follows from it on this node: save, send, execute. */
  step(index: number, event: Event): void {
    const core = this.cores[index]
    if (core === undefined) return
    this.obey(index, core.step(event))
  }

  private obey(index: number, effects: Effects): void {
    const disk = this.disks[index]!
    for (const save of effects.save) this.observe(index, { save })
    disk.records.push(...effects.save)
    disk.diverged ||= effects.deliver.some(({ type }) => type === 'diverged')
    for (const { to, message } of effects.send) {
      this.observe(index, { send: message, to })
      this.send(index, to, message)
    }
    for (const delivery of effects.deliver) {
      this.observe(index, { deliver: delivery })
      if (delivery.type === 'execute') this.execute(index, delivery.seq, delivery.body.batch)
      else if (delivery.type === 'certified') disk.certificates.push(delivery.certificate)
      else if (delivery.type !== 'view') this.reports.push({ at: index, report: delivery })
    }
  }

  execute(index: number, seq: number, batch: Batch, certificate?: Certificate): void {
    const { chain, headers, batches } = this.disks[index]!
    if (seq !== chain.length + 1) throw new Error(`node ${index} executes ${seq} after ${chain.length}`)
    const digest = batchDigest(batch)
    const wrong = this.misexecuting.has(index) ? 'wrong' : ''
    const blockHash = toHex(sha256(Buffer.from(`${wrong}${chain.at(-1) ?? ''}${digest}`)))
    const header: Header = {
      genesisHash: GENESIS,
      epoch: 0,
      height: seq,
      parentHash: chain.at(-1) ?? ZERO_HASH,
      batchDigest: digest,
      txRoot: ZERO_HASH,
      receiptsRoot: ZERO_HASH,
      stateRoot: ZERO_HASH,
      time: seq,
      proposer: batch.proposer,
      validatorsHash: VALIDATORS_HASH,
      nextValidatorsHash: VALIDATORS_HASH,
      epochEnd: 0,
      proposers: new Uint8Array(),
    }
    chain.push(blockHash)
    headers.push(header)
    batches.push(batch)
    this.step(index, { type: 'executed', header, blockHash, certificate })
  }

  send(from: number, to: number | 'all', message: Message): void {
    const receivers = to === 'all' ? this.cores.map((_, index) => index).filter((index) => index !== from) : [to]
    for (const receiver of receivers) {
      if (this.filter({ from, to: receiver, message })) this.queue.push(this.enveloped(from, receiver, message))
    }
  }

  enveloped(from: number, to: number, message: Message): Envelope {
    return { from, to, bytes: encode(messageCodec, message) }
  }

  deliver(envelope: Envelope): void {
    const message = messageIn(envelope)
    const { from, to } = envelope
    if (this.cores[to]?.isWanted(message) !== true) return
    switch (message.type) {
      case 'proposal': {
        const { type: _, ...proposal } = message
        return this.step(to, { type: 'proposal', proposal, batch: decode(batchCodec, proposal.batch) })
      }
      case 'prepare':
      case 'commit':
      case 'exec':
      case 'suspect':
        return this.step(to, { type: 'vote', vote: message.vote })
      case 'view-change':
        return this.step(to, { type: 'view-change', change: message.change })
      case 'new-view':
        return this.step(to, { type: 'new-view', newView: message.newView })
      case 'status': {
        const { type: _, ...status } = message
        return this.step(to, { type: 'status', from, status })
      }
      case 'body-request':
        return this.step(to, { type: 'body-request', from, digest: message.digest })
      case 'body': {
        const batch = decode(batchCodec, message.batch)
        const digest = batchDigest(batch)
        if (this.cores[to]?.isAskedFor(digest))
          this.step(to, { type: 'body', body: { digest, batch, bytes: message.batch } })
      }
    }
  }

  /** Time passes everywhere. */
  tick(ms: number, hasWork = false): void {
    this.hasWork = hasWork
    this.now += ms
    for (const index of this.cores.keys()) this.step(index, { type: 'tick', now: this.now, at: this.now, hasWork })
  }

  /** Delivers until the network is silent; `pick` chooses which message is next. */
  settle(pick: (length: number) => number = () => 0): void {
    for (let count = 0; this.queue.length > 0; count++) {
      if (count > 100_000) throw new Error('the network does not come to rest')
      this.deliver(this.queue.splice(pick(this.queue.length), 1)[0]!)
    }
  }

  propose(index: number, batch: Batch): boolean {
    const core = this.cores[index]
    if (core?.proposalSlot() === undefined) return false
    this.step(index, { type: 'propose', body: { batch, bytes: encode(batchCodec, batch), digest: batchDigest(batch) } })
    return true
  }

  /** Every node tells every other where it is, as it does once a second. */
  gossipStatus(pick?: (length: number) => number): void {
    this.tick(1_000, this.hasWork)
    for (const [index, core] of this.cores.entries()) {
      if (core !== undefined) this.send(index, 'all', { type: 'status', ...core.status() })
    }
    this.settle(pick)
  }

  /** Each node that is behind takes certified blocks from another one's disk, as fetching does. */
  catchUp(): void {
    for (const [index, core] of this.cores.entries()) {
      for (const source of this.disks) {
        while (core !== undefined && core.state.h < source.certificates.length) {
          const certificate = source.certificates[core.state.h]!
          const { height } = certificate
          if (height <= core.state.lastExec) this.step(index, { type: 'certificate', certificate })
          else this.execute(index, height, source.batches[height - 1]!, certificate)
          if (core.state.h < height) break
        }
      }
    }
  }

  heights(): number[] {
    return this.cores.map((core) => core?.state.h ?? -1)
  }
}
