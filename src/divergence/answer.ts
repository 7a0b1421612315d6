// The answering side: what this node's executed blocks do, transaction by transaction. It costs the asked node work, so each validator,
// and all other peers together, are answered only so often, and transactions are run again one at a time.
import { hashLeaf } from '../crypto/merkle.ts'
import type { WriteSet } from '../execution/writes.ts'
import { type Header, type Receipt, receiptCodec } from '../types/block.ts'
import {
  type BlockEffects,
  effectAnswerCodec,
  effectRequestCodec,
  effectsAnswerCodec,
  effectsRequestCodec,
} from '../types/divergence.ts'
import { decode, encode, tagOf } from '../types/schema.ts'

export interface EffectsSource {
  header(height: number): Promise<Header | undefined>
  receipts(height: number): Promise<Receipt[] | undefined>
  writeDigests(height: number): Promise<Uint8Array | undefined>
  /** By running it again; rejects where the state before it is gone. */
  writes(height: number, index: number): Promise<WriteSet | undefined>
}

/** Who asks may ask again after that; all who are no validators count as one. */
export const ANSWER_EVERY_MS = 250
/** Transactions that wait to be run again, in a split everyone asks everyone. */
const WAITING_MAX = 16

/** What this node's block at `height` does. */
export async function effectsOf(source: EffectsSource, height: number): Promise<BlockEffects | undefined> {
  const [header, receipts, writes] = await Promise.all([
    source.header(height),
    source.receipts(height),
    source.writeDigests(height),
  ])
  if (header === undefined || receipts === undefined) return undefined
  const hashes = receipts.map((receipt) => hashLeaf(encode(receiptCodec, receipt)))
  return { header, receipts: Buffer.concat(hashes), writes: writes ?? new Uint8Array() }
}

export interface EffectsAnswering {
  /** Whether the request is one of these. */
  isFor(payload: Uint8Array): boolean
  /** Rejects what is malformed, too often, or not known here. */
  answer(validator: string | null, payload: Uint8Array): Promise<Uint8Array>
}

export function createEffectsAnswering(source: EffectsSource, now: () => number): EffectsAnswering {
  const answeredAt = new Map<string, number>()
  let waiting = 0
  let last: Promise<unknown> = Promise.resolve()

  /** Bounded: one entry for each validator and one for the rest. */
  function take(asker: string): void {
    if (now() - (answeredAt.get(asker) ?? Number.NEGATIVE_INFINITY) < ANSWER_EVERY_MS)
      throw new Error('asked again too soon')
    answeredAt.set(asker, now())
  }

  async function answerBlock(payload: Uint8Array): Promise<Uint8Array> {
    const { height } = decode(effectsRequestCodec, payload)
    const effects = await effectsOf(source, height)
    if (effects === undefined) throw new Error(`there is no block ${height}`)
    return encode(effectsAnswerCodec, effects)
  }

  async function answerTransaction(payload: Uint8Array): Promise<Uint8Array> {
    const { height, index } = decode(effectRequestCodec, payload)
    const receipt = (await source.receipts(height))?.[index]
    if (receipt === undefined) throw new Error(`there is no transaction ${index} in block ${height}`)
    const writes = await inTurn(() => source.writes(height, index))
    if (writes === undefined) throw new Error('its writes are too large to be sent')
    const entries = [...writes].map(([key, value]) => ({ key, value }))
    return encode(effectAnswerCodec, { receipt: encode(receiptCodec, receipt), writes: entries })
  }

  async function inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (waiting >= WAITING_MAX) throw new Error(`${waiting} transactions wait to be run again`)
    waiting++
    const done = last.then(work).finally(() => {
      waiting--
    })
    last = done.catch(() => {})
    return done
  }

  return {
    isFor: (payload) => ['quorate/effects/1', 'quorate/effect/1'].includes(tagOf(payload) ?? ''),
    async answer(validator, payload) {
      take(validator ?? '')
      return tagOf(payload) === 'quorate/effects/1' ? answerBlock(payload) : answerTransaction(payload)
    },
  }
}
