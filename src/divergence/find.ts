// The first difference between this node's block and another one of the same batch, found with peers that have the other one. What
// they say is believed no further than it proves itself: a header by its hash, which the certificate or the signed EXEC names, receipts
// by the header's root. Which writes differ only peers can say, so several are asked and it is told how many agree; a lie misleads the
// reader of a report and nothing else.
import { blockHash } from '../crypto/digest.ts'
import { hashLeaf, merkleRootOfHashes } from '../crypto/merkle.ts'
import { type WriteSet, writesDigest } from '../execution/writes.ts'
import { type Receipt, receiptCodec } from '../types/block.ts'
import {
  type BlockEffects,
  type Difference,
  effectAnswerCodec,
  effectRequestCodec,
  effectsAnswerCodec,
  effectsRequestCodec,
  WRITES_BYTES_MAX,
} from '../types/divergence.ts'
import { equalBytes, toHex } from '../types/hex.ts'
import { DecodeError, decode, encode } from '../types/schema.ts'
import { ANSWER_EVERY_MS } from './answer.ts'
import { differingFields, digestsIn, firstDifference, firstKey, receiptDifferences } from './compare.ts'

export interface FindPorts {
  /** This node's own block. */
  effects(height: number): Promise<BlockEffects | undefined>
  receipt(height: number, index: number): Promise<Receipt | undefined>
  transaction(height: number, index: number): Promise<{ id: string; contract: string; method: string } | undefined>
  /** By running it again. */
  writes(height: number, index: number): Promise<WriteSet | undefined>
  /** Peers to ask, validators first, by peer id and by the name that a reader knows. */
  peers(): { id: string; name: string }[]
  request(peer: string, payload: Uint8Array, options: { timeoutMs: number; maxBytes: number }): Promise<Uint8Array>
  pause(ms: number): Promise<void>
}

/** Another block than ours that signatures vouch for. */
export interface Contradiction {
  height: number
  hash: string
}

export interface Found {
  difference: Difference
  /** Whether asking again could tell more. */
  isWhole: boolean
}

const PEERS_MAX = 7
/** Blocks from the contradicted one down to the first that differs: no more than are executed above the certified height. */
const DEPTH_MAX = 128
/** Long enough for a busy machine to start its thread for reads and run a block again. */
const TIMEOUT_MS = 25_000
const BLOCK_BYTES_MAX = 1024 * 1024
/** A peer that is busy, or was asked too soon, is asked again. */
const ASKS_MAX = 3
const REFUSALS: unknown[] = ['BUSY', 'FAILED']
const EFFECT_BYTES_MAX = WRITES_BYTES_MAX + 6 * 1024 * 1024

/** A peer's word on the block, with a header and receipts that are proven. */
interface Claim {
  peer: { id: string; name: string }
  effects: BlockEffects
  /** The first transaction whose writes it says differ. */
  index: number | undefined
}

/** Undefined where no peer that has the other block answered. */
export async function findDifference(ports: FindPorts, contradiction: Contradiction): Promise<Found | undefined> {
  let { height, hash } = contradiction
  for (let depth = 0; depth < DEPTH_MAX; depth++) {
    const ours = await ports.effects(height)
    const claims = ours === undefined ? [] : await askAll(ports, height, hash, ours)
    if (ours === undefined || claims.length === 0) return undefined
    const theirs = claims[0]!.effects.header
    if (theirs.parentHash === ours.header.parentHash || height <= 1) return compareBlocks(ports, ours, hash, claims)
    height--
    hash = theirs.parentHash
    await ports.pause(ANSWER_EVERY_MS)
  }
  return undefined
}

async function askAll(ports: FindPorts, height: number, hash: string, ours: BlockEffects): Promise<Claim[]> {
  const payload = encode(effectsRequestCodec, { height })
  const read = (answer: Uint8Array) => decode(effectsAnswerCodec, answer)
  const asked = ports.peers().slice(0, PEERS_MAX)
  const claims = asked.map(async (peer): Promise<Claim[]> => {
    const effects = await ask(ports, peer.id, { payload, bytesMax: BLOCK_BYTES_MAX, read })
    if (effects === undefined || !provesItself(effects, hash)) return []
    return [{ peer, effects, index: firstDifference(ours.writes, effects.writes) }]
  })
  return (await Promise.all(claims)).flat()
}

interface Question<T> {
  payload: Uint8Array
  bytesMax: number
  read(answer: Uint8Array): T
}

/** Undefined where there is no answer, or one that no correct node gives. */
async function ask<T>(
  ports: FindPorts,
  peer: string,
  { payload, bytesMax, read }: Question<T>,
): Promise<T | undefined> {
  for (let left = ASKS_MAX; left > 0; left--) {
    try {
      return read(await ports.request(peer, payload, { timeoutMs: TIMEOUT_MS, maxBytes: bytesMax }))
    } catch (error) {
      if (error instanceof DecodeError || !REFUSALS.includes((error as { code?: unknown }).code)) return undefined
      await ports.pause(2 * ANSWER_EVERY_MS)
    }
  }
  return undefined
}

function provesItself({ header, receipts, writes }: BlockEffects, hash: string): boolean {
  if (blockHash(header) !== hash || receipts.length % 32 !== 0) return false
  if (writes.length !== 0 && writes.length !== receipts.length) return false
  return toHex(merkleRootOfHashes(digestsIn(receipts))) === header.receiptsRoot
}

async function compareBlocks(ports: FindPorts, ours: BlockEffects, hash: string, claims: Claim[]): Promise<Found> {
  const theirs = claims[0]!.effects
  const { height } = ours.header
  const fields = differingFields(ours.header, theirs.header)
  const difference: Difference = {
    height,
    ours: blockHash(ours.header),
    theirs: hash,
    fields,
    transaction: null,
    isProven: false,
    receipt: [],
    key: null,
    confirmedBy: [],
    answered: claims.length,
    note: '',
  }
  const end = (note: string, isWhole: boolean): Found => ({ difference: { ...difference, note }, isWhole })
  if (fields.includes('batchDigest')) return end(ANOTHER_BATCH, true)
  const byReceipt = firstDifference(ours.receipts, theirs.receipts)
  const byWrites = fields.includes('stateRoot') ? mostSaid(claims.map(({ index }) => index)) : undefined
  const index = Math.min(byReceipt ?? Number.POSITIVE_INFINITY, byWrites ?? Number.POSITIVE_INFINITY)
  const transaction = Number.isFinite(index) ? await ports.transaction(height, index) : undefined
  if (transaction === undefined) return end(ours.writes.length === 0 ? NO_DIGESTS : NO_TRANSACTION, true)
  difference.transaction = { index, ...transaction }
  difference.isProven = index === byReceipt
  const agreeing = claims.filter((claim) => difference.isProven || claim.index === index)
  difference.confirmedBy = agreeing.map(({ peer }) => peer.name)
  return compareEffects(ports, difference, ours, agreeing)
}

/** The transaction's receipt and keys: the same answer of most of the peers that agree so far. */
async function compareEffects(
  ports: FindPorts,
  difference: Difference,
  ours: BlockEffects,
  claims: Claim[],
): Promise<Found> {
  const { height } = difference
  const { index } = difference.transaction!
  const end = (note: string, isWhole: boolean): Found => ({ difference: { ...difference, note }, isWhole })
  const again = await ports.writes(height, index).catch(() => undefined)
  await ports.pause(ANSWER_EVERY_MS)
  const answers = await Promise.all(claims.map((claim) => askEffect(ports, height, index, claim)))
  const said = claims.flatMap((claim, at) => (answers[at] === undefined ? [] : [{ claim, ...answers[at] }]))
  const ownReceipt = await ports.receipt(height, index)
  if (difference.isProven && ownReceipt !== undefined && said[0] !== undefined)
    difference.receipt = receiptDifferences(ownReceipt, said[0].receipt)
  if (said.length === 0) return end('none of these peers told what the transaction writes', false)
  if (again === undefined) return end('this node cannot run the transaction again: its state before it is gone', true)
  const own = new Map(again)
  const ownDigest = digestsIn(ours.writes)[index]
  if (ownDigest !== undefined && !equalBytes(writesDigest(again), ownDigest)) return end(NOT_REPEATED, true)
  const keys = said.map(({ writes }) => firstKey(own, writes))
  const key = mostSaid<string>(keys.map((each) => each && JSON.stringify(each)))
  if (key === undefined) return end(difference.isProven ? SAME_WRITES : NO_KEY, true)
  difference.key = JSON.parse(key) as Difference['key']
  difference.confirmedBy = said.filter((_, at) => JSON.stringify(keys[at]) === key).map(({ claim }) => claim.peer.name)
  return end('', true)
}

const ANOTHER_BATCH =
  'another batch was ordered there: more validators are faulty than the network bears, or this node was changed by hand'
const NO_DIGESTS = 'no transaction can be named: this node does not keep the write digests of that block any more'
const NO_TRANSACTION =
  'no transaction can be named: no peer keeps the write digests of that block any more, or what differs is not of a transaction'
const NOT_REPEATED =
  'run again, the transaction writes something else here than it did in the block: look for a fault of this machine, memory first'
const SAME_WRITES = 'the transaction writes the same on both sides; only what its receipt says differs'
const NO_KEY = 'run again, the transaction writes the same here as there'

/** What the transaction does there; undefined where the answer is not what the peer's block says. */
async function askEffect(ports: FindPorts, height: number, index: number, { peer, effects }: Claim) {
  const payload = encode(effectRequestCodec, { height, index })
  const read = (bytes: Uint8Array) => {
    const { receipt, writes } = decode(effectAnswerCodec, bytes)
    return { bytes: receipt, receipt: decode(receiptCodec, receipt), writes }
  }
  const answer = await ask(ports, peer.id, { payload, bytesMax: EFFECT_BYTES_MAX, read })
  const hash = digestsIn(effects.receipts)[index]
  if (answer === undefined || hash === undefined || !equalBytes(hashLeaf(answer.bytes), hash)) return undefined
  const writes = answer.writes.map(({ key, value }): [string, string | null] => [key, value])
  const digest = digestsIn(effects.writes)[index]
  if (digest !== undefined && !equalBytes(writesDigest(writes), digest)) return undefined
  return { receipt: answer.receipt, writes: new Map(writes) }
}

/** What most say, the least of those where it is a draw. */
function mostSaid<T extends number | string>(values: readonly (T | undefined)[]): T | undefined {
  const counts = new Map<T, number>()
  for (const value of values) if (value !== undefined) counts.set(value, (counts.get(value) ?? 0) + 1)
  const ranked = [...counts].sort(([a, countA], [b, countB]) => countB - countA || (a < b ? -1 : 1))
  return ranked[0]?.[0]
}
