// What a scenario makes a faulty validator say: well signed, so it passes the network's edge, and false.
import { evidenceHashes } from '../../src/consensus/view-change.ts'
import { sha256 } from '../../src/crypto/hash.ts'
import { batchCodec, ZERO_HASH } from '../../src/types/block.ts'
import { toHex } from '../../src/types/hex.ts'
import {
  type Body,
  type BodyType,
  type Message,
  type Prepared,
  type Signed,
  signedBytes,
  type ViewChange,
  viewChangeCodec,
} from '../../src/types/message.ts'
import { encode, list } from '../../src/types/schema.ts'
import { batchOf, type Cluster, DOMAIN, signatureOf } from './cluster.ts'
import type { Names } from './scenario-words.ts'

/** The words after the command: `view 1 seq 2 batch b to 0,3`; a word without a value is a flag. */
export type Words = ReadonlyMap<string, string>

export const numbersOf = (text: string): number[] => text.split(',').map(Number)

export interface Forger {
  cluster: Cluster
  names: Names
  /** VIEW-CHANGEs said so far, by `signer/view`, and forged ones by their name. */
  changes: Map<string, ViewChange>
}

function sign<T extends BodyType>(type: T, signer: number, body: Omit<Body<T>, keyof typeof DOMAIN>): Signed<T> {
  const whole = { ...DOMAIN, ...body } as Body<T>
  return { type, body: whole, signer, signature: signatureOf(signer, signedBytes(type, whole)) }
}

export function forge(forger: Forger, type: string, words: Words): Message {
  const { names } = forger
  const number = (word: string, otherwise = 0) => Number(words.get(word) ?? otherwise)
  const from = number('from')
  const view = number('view')
  const seq = number('seq', 1)
  switch (type) {
    case 'proposal':
      return forgeProposal(forger, from, view, seq, words)
    case 'prepare':
      return { type, vote: sign('prepare', from, { view, seq, digest: names.digest(words.get('batch')!) }) }
    case 'commit':
      return { type, vote: sign('commit', from, { view, seq, digest: names.digest(words.get('batch')!) }) }
    case 'exec': {
      const height = number('height', 1)
      return { type, vote: sign('exec', from, { height, blockHash: names.blockHash(words.get('block')!) }) }
    }
    case 'suspect':
      return { type, vote: sign('suspect', from, { view }) }
    case 'status':
      return { type, epoch: 0, view, active: !words.has('waiting'), h: number('h'), lastExec: number('executed') }
    case 'body':
      return { type, batch: encode(batchCodec, names.batches.get(words.get('batch')!)!) }
    case 'ask':
      return { type: 'body-request', digest: names.digest(words.get('batch')!) }
    case 'view-change':
      return { type, change: forgeChange(forger, from, view, words) }
    case 'new-view':
      return forgeNewView(forger, from, view, words)
    default:
      throw new Error(`no message is called ${type}`)
  }
}

/** `proposer` and `batchview` are what the batch itself says; `time` is how far its time is from now. */
function forgeProposal({ cluster, names }: Forger, from: number, view: number, seq: number, words: Words): Message {
  const label = words.get('batch')!
  if (!names.batches.has(label)) {
    const proposer = Number(words.get('proposer') ?? from)
    const batch = batchOf(label, proposer, cluster.now + Number(words.get('time') ?? 0))
    names.addBatch(label, { ...batch, view: Number(words.get('batchview') ?? view) })
  }
  const body = { view, seq, digest: names.digest(label) }
  return {
    type: 'proposal',
    prePrepare: sign('pre-prepare', from, body),
    prepare: sign('prepare', from, body),
    batch: encode(batchCodec, names.batches.get(label)!),
  }
}

/** `prepared 1/a/0/012,2/b/0/012`: sequence, batch, view, signers. */
function preparedFrom(names: Names, text: string): Prepared {
  const [seq, label, view, signers] = text.split('/') as [string, string, string, string]
  const body = { ...DOMAIN, view: Number(view), seq: Number(seq), digest: names.digest(label) }
  const signatures = [...signers].map((digit) => ({
    signer: Number(digit),
    signature: signatureOf(Number(digit), signedBytes('prepare', body)),
  }))
  return { view: body.view, seq: body.seq, digest: body.digest, signatures }
}

function forgeChange({ cluster, names, changes }: Forger, from: number, newView: number, words: Words): ViewChange {
  const h = Number(words.get('h') ?? 0)
  const disk = words.has('uncertified') ? undefined : cluster.disks.find(({ certificates }) => certificates.length >= h)
  const evidence = {
    header: disk?.headers[h - 1] ?? null,
    certificate: disk?.certificates[h - 1] ?? null,
    prepared: (words.get('prepared')?.split(',') ?? []).map((text) => preparedFrom(names, text)),
  }
  const hashes = evidenceHashes(evidence)
  if (words.has('tampered')) hashes.preparedHash = ZERO_HASH
  const change: ViewChange = { vote: sign('view-change', from, { newView, h, ...hashes }), ...evidence }
  changes.set(words.get('name') ?? `${from}/${newView}`, change)
  return change
}

/** `of 0,2,lie`: VIEW-CHANGEs to this view by their sender, or by the name they were forged under. */
function forgeNewView({ changes }: Forger, from: number, view: number, words: Words): Message {
  const viewChanges = words
    .get('of')!
    .split(',')
    .map((name) => {
      const change = changes.get(name) ?? changes.get(`${name}/${view}`)
      if (change === undefined) throw new Error(`no VIEW-CHANGE is called ${name}`)
      return change
    })
  const bytes = encode(list(viewChangeCodec, 100), words.has('tampered') ? viewChanges.slice(1) : viewChanges)
  const vote = sign('new-view', from, { view, viewChangesHash: toHex(sha256(bytes)) })
  return { type: 'new-view', newView: { vote, viewChanges } }
}
