// Faulty validators: the honest software with a liar at its network boundary. A liar signs with its own node's key only, sees what
// its node sees, and shares what it knows with the other liars.

import { evidenceHashes } from '../consensus/view-change.ts'
import { batchDigest, blockHash } from '../crypto/digest.ts'
import { sha256 } from '../crypto/hash.ts'
import { type Batch, batchCodec, ZERO_HASH } from '../types/block.ts'
import type { EpochRecord } from '../types/epoch.ts'
import { blockAnswerCodec } from '../types/fetch.ts'
import { toHex } from '../types/hex.ts'
import {
  type Body,
  type BodyType,
  type Message,
  messageCodec,
  type NewView,
  type Proposal,
  type Signed,
  signedBytes,
  type ViewChange,
  viewChangeCodec,
} from '../types/message.ts'
import { decode, encode, list } from '../types/schema.ts'
import type { Key } from './keys.ts'
import type { Channel } from './network.ts'
import type { Random } from './random.ts'
import type { Behaviour } from './scenario.ts'

export interface LiarOptions {
  behaviours: readonly Behaviour[]
  random: Random
  key: Key
  self: number
  epoch: EpochRecord
  domain: { genesisHash: string; epoch: number; validatorsHash: string }
  peers: readonly number[]
  conspiracy: Conspiracy
}

/** What liars tell one another: the second batch for a digest that one of them proposed. */
export interface Conspiracy {
  twinOf: Map<string, string>
  digests: string[]
}

export const createConspiracy = (): Conspiracy => ({ twinOf: new Map(), digests: [] })

/** One frame on its way; `message` is what it says when it is a consensus message. */
export interface Letter {
  to: number
  channel: Channel
  frame: Uint8Array
  message: Message | undefined
  delayUs: number
}

export interface Liar {
  /** What really leaves instead of this letter. */
  tamper(letter: Letter): Letter[]
  onReceived(channel: Channel, frame: Uint8Array): void
  tamperAnswer(answer: Uint8Array): Uint8Array
}

type Trick = (letter: Letter) => Letter[]

const REMEMBERED_MAX = 200
/** A flood is this many letters more for each one. */
const FLOOD = 6

export function createLiar(options: LiarOptions): Liar {
  const { behaviours, random, key, self, domain, peers, conspiracy } = options
  const heard: { channel: Channel; frame: Uint8Array }[] = []
  const victims = new Set(peers.filter(() => random.chance(0.5)))
  const forgery = random.below(3)
  let lettersUntilSilence = random.between(0, 120)

  const sign = <T extends BodyType>(type: T, body: Body<T>): Signed<T> => ({
    type,
    body,
    signer: self,
    signature: key.sign(signedBytes(type, body)),
  })
  const say = (letter: Letter, message: Message): Letter => ({
    ...letter,
    message,
    frame: encode(messageCodec, message),
  })
  const randomHash = () => toHex(sha256(Uint8Array.of(random.below(256), random.below(256), random.below(256))))
  const isOwnVote = (message: Message): message is Extract<Message, { type: 'prepare' | 'commit' }> =>
    (message.type === 'prepare' || message.type === 'commit') && message.vote.signer === self

  function remember(channel: Channel, frame: Uint8Array): void {
    heard.push({ channel, frame })
    if (heard.length > REMEMBERED_MAX) heard.splice(random.below(heard.length), 1)
  }

  /** Another valid batch for the same slot: the same transactions a moment later. */
  function secondProposal(proposal: Proposal): Proposal {
    const { view, seq, digest } = proposal.prePrepare.body
    const batch: Batch = decode(batchCodec, proposal.batch)
    const other = { ...batch, time: batch.time + 1 }
    const body = { ...domain, view, seq, digest: batchDigest(other) }
    conspiracy.twinOf.set(digest, body.digest)
    return {
      prePrepare: sign('pre-prepare', body),
      prepare: sign('prepare', body),
      batch: encode(batchCodec, other),
    }
  }

  /** A batch that no correct validator votes for: a signature that is not the sender's, a transaction twice, bytes that are none. */
  function forgedProposal(proposal: Proposal): Proposal {
    const { view, seq } = proposal.prePrepare.body
    const batch: Batch = decode(batchCodec, proposal.batch)
    const first = batch.txs[0] ?? Uint8Array.of(1)
    const forged = first.with(first.length - 1, first.at(-1)! ^ 1)
    // The same to everyone, so that only their checks can stop it.
    const txs = [[forged, ...batch.txs.slice(1)], [first, ...batch.txs], [first.subarray(1)]][forgery]!
    const other = { ...batch, txs }
    const body = { ...domain, view, seq, digest: batchDigest(other) }
    return { prePrepare: sign('pre-prepare', body), prepare: sign('prepare', body), batch: encode(batchCodec, other) }
  }

  const tricks: Partial<Record<Behaviour, Trick>> = {
    equivocate(letter) {
      const { message, to } = letter
      if (message === undefined || !victims.has(to)) return [letter]
      if (message.type === 'proposal' && message.prePrepare.signer === self)
        return [say(letter, { type: 'proposal', ...secondProposal(message) })]
      if (!isOwnVote(message)) return [letter]
      const digest = conspiracy.twinOf.get(message.vote.body.digest) ?? randomHash()
      return [say(letter, voteMessage(message.type, { ...message.vote.body, digest }))]
    },
    forge(letter) {
      const { message } = letter
      if (message?.type !== 'proposal' || message.prePrepare.signer !== self) return [letter]
      return [say(letter, { type: 'proposal', ...forgedProposal(message) })]
    },
    silent: (letter) => (lettersUntilSilence-- > 0 ? [letter] : []),
    slow: (letter) => [{ ...letter, delayUs: letter.delayUs + random.between(100_000, 3_000_000) }],
    selective: (letter) => (victims.has(letter.to) ? [] : [letter]),
    withhold: (letter) => (letter.channel === 'proposals' && victims.has(letter.to) ? [] : [letter]),
    'bogus-exec'(letter) {
      const { message } = letter
      if (message?.type !== 'exec' || message.vote.signer !== self || random.chance(0.3)) return [letter]
      const { height } = message.vote.body
      return [say(letter, { type: 'exec', vote: sign('exec', { ...domain, height, blockHash: randomHash() }) })]
    },
    'confuse-types'(letter) {
      const { message } = letter
      if (message === undefined || !isOwnVote(message) || random.chance(0.9)) return [letter]
      return [letter, say(letter, confused(message))]
    },
    replay(letter) {
      const old = heard.length > 0 && random.chance(0.3) ? random.pick(heard) : undefined
      const peer = random.pick(peers)
      return old === undefined ? [letter] : [letter, { ...letter, ...old, to: peer, message: undefined }]
    },
    flood(letter) {
      if (random.chance(0.8)) return [letter]
      return [letter, ...Array.from({ length: FLOOD }, () => say(letter, randomMessage()))]
    },
    mutate(letter) {
      const { message } = letter
      if (message === undefined || !isOwnVote(message) || random.chance(0.5)) return [letter]
      return [letter, say(letter, voteMessage(message.type, mutated(message.vote.body)))]
    },
    'lie-status'(letter) {
      if (letter.message?.type !== 'status') return [letter]
      const { epoch, view, h } = letter.message
      const height = random.pick([0, Math.min(h, 1_000) + 1, Math.min(h, 1_000) + 100, Number.MAX_SAFE_INTEGER])
      const lie = {
        epoch,
        view: random.pick([view, view + 1, 1_000]),
        active: random.chance(0.5),
        h: height,
        lastExec: height,
      }
      return [say(letter, { type: 'status', ...lie })]
    },
    'lie-view-change'(letter) {
      const { message } = letter
      if (message?.type !== 'view-change' || message.change.vote.signer !== self) return [letter]
      return [say(letter, { type: 'view-change', change: liedViewChange(message.change) })]
    },
    'lie-new-view'(letter) {
      const { message } = letter
      if (message?.type !== 'new-view' || message.newView.vote.signer !== self) return [letter]
      return [say(letter, { type: 'new-view', newView: liedNewView(message.newView) })]
    },
  }

  function voteMessage(type: 'prepare' | 'commit', body: Body<'prepare'>): Message {
    return type === 'prepare' ? { type, vote: sign('prepare', body) } : { type, vote: sign('commit', body) }
  }

  /** A true signature under another type, under another validator's name, or over other bytes. */
  function confused(message: Extract<Message, { type: 'prepare' | 'commit' }>): Message {
    const { body, signature } = message.vote
    const signer = random.chance(0.5) ? self : random.below(options.epoch.validators.length)
    if (message.type === 'prepare') return { type: 'commit', vote: { type: 'commit', body, signer, signature } }
    return { type: 'prepare', vote: { type: 'prepare', body, signer, signature } }
  }

  function mutated(body: Body<'prepare'>): Body<'prepare'> {
    const step = random.pick([-1, 1])
    const moved = (value: number) => Math.min(Number.MAX_SAFE_INTEGER, Math.max(0, value + step))
    const what = random.below(3)
    if (what === 0) return { ...body, view: moved(body.view) }
    if (what === 1) return { ...body, seq: moved(body.seq) }
    return { ...body, digest: conspiracy.digests.length > 0 ? random.pick(conspiracy.digests) : randomHash() }
  }

  function randomMessage(): Message {
    const view = random.below(5)
    const seq = random.pick([0, 1, random.below(20), random.below(100), Number.MAX_SAFE_INTEGER])
    const slot = { ...domain, view, seq, digest: randomHash() }
    switch (random.below(5)) {
      case 0:
        return { type: 'status', epoch: 0, view, active: true, h: seq, lastExec: seq }
      case 1:
        return { type: 'exec', vote: sign('exec', { ...domain, height: seq, blockHash: slot.digest }) }
      case 2:
        return { type: 'suspect', vote: sign('suspect', { ...domain, view }) }
      case 3:
        return voteMessage('commit', slot)
      default:
        return voteMessage('prepare', slot)
    }
  }

  /** Forgetful, stale or boastful, and signed as if it were true. */
  function liedViewChange({ vote, ...evidence }: ViewChange): ViewChange {
    const { newView, h } = vote.body
    const [first] = evidence.prepared
    const lies: (() => Omit<ViewChange, 'vote'> & { h?: number; newView?: number })[] = [
      () => ({ ...evidence, prepared: [] }),
      () => ({ ...evidence, prepared: evidence.prepared.slice(1) }),
      () => ({ ...evidence, header: null, certificate: null, h: 0 }),
      () => ({ ...evidence, h: h + 1 }),
      () => ({ ...evidence, newView: newView + 1 }),
      () => ({ ...evidence, prepared: first === undefined ? [] : [{ ...first, digest: ZERO_HASH }] }),
      () => ({ ...evidence, prepared: first === undefined ? [] : [{ ...first, view: newView }] }),
      () => ({ ...evidence, prepared: first === undefined ? [] : [{ ...first, signatures: twice(first.signatures) }] }),
    ]
    const { h: liedH = h, newView: liedView = newView, ...lie } = random.pick(lies)()
    return { vote: sign('view-change', { ...domain, newView: liedView, h: liedH, ...evidenceHashes(lie) }), ...lie }
  }

  const twice = <T>(items: T[]): T[] => [...items.slice(1), ...items.slice(1, 2)]

  /** Too few, one twice, one too many, a forgetful one of its own, forgetful ones of others, or of another epoch or view. */
  function liedNewView({ vote, viewChanges }: NewView): NewView {
    const own = viewChanges.find((change) => change.vote.signer === self)
    const lies: [ViewChange[], Partial<Body<'new-view'>>?][] = [
      [viewChanges.slice(1)],
      [twice(viewChanges)],
      [[...viewChanges, viewChanges[0]!]],
      [[...viewChanges].reverse()],
      [viewChanges.map((change) => (change === own ? liedViewChange(change) : change))],
      [viewChanges.map((change) => (change === own ? change : { ...change, prepared: [] }))],
      [viewChanges, { epoch: domain.epoch + 1 }],
      [viewChanges, { view: vote.body.view + 1 }],
    ]
    const [changed, fields] = random.pick(lies)
    const viewChangesHash = toHex(sha256(encode(list(viewChangeCodec, 100), changed)))
    return { vote: sign('new-view', { ...vote.body, ...fields, viewChangesHash }), viewChanges: changed }
  }

  function noteDigests(message: Message | undefined): void {
    if (message?.type !== 'prepare' && message?.type !== 'commit') return
    conspiracy.digests.push(message.vote.body.digest)
    if (conspiracy.digests.length > REMEMBERED_MAX) conspiracy.digests.shift()
  }

  return {
    tamper(letter) {
      noteDigests(letter.message)
      if (behaviours.includes('replay')) remember(letter.channel, letter.frame)
      let letters = [letter]
      for (const behaviour of behaviours) {
        const trick = tricks[behaviour]
        if (trick !== undefined) letters = letters.flatMap(trick)
      }
      return letters
    },
    onReceived(channel, frame) {
      if (behaviours.includes('replay')) remember(channel, frame)
    },
    tamperAnswer: (answer) => (behaviours.includes('bogus-answer') ? bogusAnswer(answer, random) : answer),
  }
}

/** A block answer with something wrong in it: bytes, a signature, a signer, a batch, a header, an order. */
function bogusAnswer(answer: Uint8Array, random: Random): Uint8Array {
  const blocks = decode(blockAnswerCodec, answer)
  const what = random.below(7)
  if (blocks.length === 0 || what === 0) return answer.subarray(0, random.below(answer.length + 1))
  const block = random.pick(blocks)
  const { certificate, header } = block
  const [first] = certificate.signatures
  if (what === 1) certificate.signatures = certificate.signatures.slice(1)
  else if (what === 2 && first !== undefined) certificate.signatures = certificate.signatures.map(() => first)
  else if (what === 3 && first !== undefined) first.signature = first.signature.map((byte) => byte ^ 1)
  else if (what === 4) block.batch = encode(batchCodec, { ...decode(batchCodec, block.batch), time: header.time + 7 })
  else if (what === 5) {
    header.stateRoot = header.txRoot
    certificate.blockHash = blockHash(header)
  } else blocks.reverse()
  return encode(blockAnswerCodec, blocks)
}
