// The words of a scenario's transcript: batches and blocks by the labels the scenario gave them, messages in one short line each.
import type { Delivery } from '../../src/consensus/event.ts'
import type { LogRecord } from '../../src/consensus/record.ts'
import { batchDigest } from '../../src/crypto/digest.ts'
import { sha256 } from '../../src/crypto/hash.ts'
import { type Batch, batchCodec, ZERO_HASH } from '../../src/types/block.ts'
import { toHex } from '../../src/types/hex.ts'
import type { Message, ViewChange } from '../../src/types/message.ts'
import { decode } from '../../src/types/schema.ts'

/** Which label stands for which batch and which block hash. */
export class Names {
  readonly batches = new Map<string, Batch>()
  private readonly labels = new Map<string, string>([[ZERO_HASH, 'null']])
  private readonly blocks = new Map<string, string>()

  addBatch(label: string, batch: Batch): Batch {
    if (this.batches.has(label)) throw new Error(`batch ${label} exists already: labels are given once`)
    this.batches.set(label, batch)
    this.labels.set(batchDigest(batch), label)
    return batch
  }

  batch(digest: string): string {
    return this.labels.get(digest) ?? 'unknown'
  }

  digest(label: string): string {
    if (label === 'null') return ZERO_HASH
    const batch = this.batches.get(label)
    if (batch === undefined) throw new Error(`no batch is called ${label}`)
    return batchDigest(batch)
  }

  /** A block is called as its batch; another block of the same batch gets a tick. */
  addBlock(hash: string, digest: string): void {
    if (this.blocks.has(hash)) return
    const taken = new Set(this.blocks.values())
    let label = this.batch(digest)
    while (label !== 'null' && taken.has(label)) label += "'"
    this.blocks.set(hash, label)
  }

  block(hash: string): string {
    return this.blocks.get(hash) ?? 'unknown'
  }

  /** The hash of the block with this label, or of one that nobody made. */
  blockHash(label: string): string {
    for (const [hash, known] of this.blocks) if (known === label) return hash
    const hash = toHex(sha256(Buffer.from(`forged ${label}`)))
    this.blocks.set(hash, label)
    return hash
  }
}

type SlotBody = { view: number; seq: number; digest: string }

function slot(names: Names, { view, seq, digest }: SlotBody): string {
  return `v${view} s${seq} ${names.batch(digest)}`
}

function change(names: Names, { vote: { body }, prepared }: ViewChange): string {
  const proofs = prepared.map(({ seq, view, digest }) => ` s${seq} ${names.batch(digest)} of v${view}`)
  return `VIEW-CHANGE v${body.newView} h${body.h}${proofs.length === 0 ? '' : ', prepared'}${proofs.join(',')}`
}

/** `VIEW-CHANGE v1 h0, prepared s1 a of v0`. */
export function wordsOf(names: Names, message: Message): string {
  switch (message.type) {
    case 'proposal':
      return `PROPOSAL ${slot(names, message.prePrepare.body)}`
    case 'prepare':
      return `PREPARE ${slot(names, message.vote.body)}`
    case 'commit':
      return `COMMIT ${slot(names, message.vote.body)}`
    case 'exec':
      return `EXEC ${message.vote.body.height} ${names.block(message.vote.body.blockHash)}`
    case 'suspect':
      return `SUSPECT v${message.vote.body.view}`
    case 'view-change':
      return change(names, message.change)
    case 'new-view': {
      const { vote, viewChanges } = message.newView
      return `NEW-VIEW v${vote.body.view} of ${viewChanges.map((one) => one.vote.signer).join(' ')}`
    }
    case 'status':
      return `STATUS v${message.view}${message.active ? '' : '?'} h${message.h} executed ${message.lastExec}`
    case 'body-request':
      return `ASK ${names.batch(message.digest)}`
    case 'body':
      return `BODY ${names.batch(bodyDigest(message.batch))}`
  }
}

const bodyDigest = (bytes: Uint8Array): string => batchDigest(decode(batchCodec, bytes))

/** `saves prepared v0 s1 a by 0 1 2`. */
export function wordsOfRecord(names: Names, record: LogRecord): string {
  switch (record.type) {
    case 'proposal':
      return `saves proposal ${slot(names, record.proposal.prePrepare.body)}`
    case 'body':
      return `saves body s${record.seq} ${names.batch(batchDigest(record.batch))}`
    case 'prepare':
    case 'commit':
      return `saves ${record.type} ${slot(names, record.vote.body)}`
    case 'prepared': {
      const signers = record.prepared.signatures.map(({ signer }) => signer).join(' ')
      return `saves prepared ${slot(names, record.prepared)} by ${signers}`
    }
    case 'view-change':
      return `saves ${change(names, record.change)}`
    case 'new-view':
      return `saves NEW-VIEW v${record.newView.vote.body.view}`
    case 'floor':
      return `saves floor ${record.height}`
  }
}

/** `executes s1 a`, `view 1 active`, `evidence: 0 proposal`. */
export function wordsOfDelivery(names: Names, delivery: Delivery): string {
  switch (delivery.type) {
    case 'execute':
      return `executes s${delivery.seq} ${names.batch(delivery.body.digest)}`
    case 'certified':
      return `certified ${delivery.certificate.height}`
    case 'view':
      return `view ${delivery.view} ${delivery.active ? 'active' : 'entered'}`
    case 'evidence':
      return `evidence: ${delivery.validator} ${delivery.kind}`
    case 'mismatch':
      return `mismatch: ${delivery.validator} made another block ${delivery.height}`
    case 'diverged':
      return `diverged: a quorum made another block ${delivery.certificate.height}`
  }
}

/** The view a message belongs to, where it has one. */
export function viewIn(message: Message): number | undefined {
  switch (message.type) {
    case 'proposal':
      return message.prePrepare.body.view
    case 'prepare':
    case 'commit':
    case 'suspect':
      return message.vote.body.view
    case 'view-change':
      return message.change.vote.body.newView
    case 'new-view':
      return message.newView.vote.body.view
    default:
      return undefined
  }
}

/** The sequence or height a message is about, where it has one. */
export function seqIn(message: Message): number | undefined {
  switch (message.type) {
    case 'proposal':
      return message.prePrepare.body.seq
    case 'prepare':
    case 'commit':
      return message.vote.body.seq
    case 'exec':
      return message.vote.body.height
    default:
      return undefined
  }
}
