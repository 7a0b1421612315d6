// Batches by digest: a replica that has to vote on, or execute, a batch it never saw asks the others for it. Only what was asked for is
// taken.
import { batchCodec, NULL_BATCH, ZERO_HASH } from '../types/block.ts'
import { encode } from '../types/schema.ts'
import { deliverCommitted } from './commit.ts'
import type { Body } from './event.ts'
import { maybeSendNewView, voteAgain } from './new-view.ts'
import { type Context, ownerOf, type Slot, type State, slotsInOrder } from './state.ts'

export const NULL_BODY: Body = { digest: ZERO_HASH, batch: NULL_BATCH, bytes: encode(batchCodec, NULL_BATCH) }

const ASK_EVERY_MS = 500
/** Batches asked for at a time. */
const ASK_MAX = 4
/** Batches sent to one validator in a second: what a whole window holds would be more than it can take at once. */
const SERVED_PER_SECOND_MAX = 16

/** The digests a slot needs and has not: of what it accepted in this view, of what it committed, of what its NEW-VIEW would propose again. */
function missingDigests(state: State, slot: Slot): string[] {
  if (slot.block !== undefined) return []
  const needed = [slot.accepted.get(state.view)?.digest, slot.committed?.digest]
  for (const [digest, seq] of state.sought) if (seq === slot.seq) needed.push(digest)
  return needed.filter((digest): digest is string => digest !== undefined && !slot.bodies.has(digest))
}

/** Asks everyone for the lowest missing batches, for each again only after a while. */
export function askForBodies(context: Context): void {
  const { state, effects } = context
  const { bodiesAskedAt } = state
  const missing = new Set(slotsInOrder(state).flatMap((slot) => missingDigests(state, slot)))
  for (const digest of bodiesAskedAt.keys()) if (!missing.has(digest)) bodiesAskedAt.delete(digest)
  for (const digest of [...missing].slice(0, ASK_MAX)) {
    if (state.at - (bodiesAskedAt.get(digest) ?? Number.NEGATIVE_INFINITY) < ASK_EVERY_MS) continue
    bodiesAskedAt.set(digest, state.at)
    effects.send.push({ to: 'all', message: { type: 'body-request', digest } })
  }
}

export function isAskedFor(state: State, digest: string): boolean {
  return slotsInOrder(state).some((slot) => missingDigests(state, slot).includes(digest))
}

export function onBody(context: Context, body: Body): void {
  const { state, effects } = context
  for (const slot of slotsInOrder(state)) {
    if (!missingDigests(state, slot).includes(body.digest)) continue
    slot.bodies.set(body.digest, body)
    if (state.voting) effects.save.push({ type: 'body', ...ownerOf(state), seq: slot.seq, batch: body.batch })
    voteAgain(context, slot)
  }
  maybeSendNewView(context)
  deliverCommitted(context)
}

export function onBodyRequest(context: Context, from: number, digest: string): void {
  const { state, effects } = context
  if (digest === ZERO_HASH) return
  const second = Math.floor(state.at / 1000)
  const served = state.bodiesServed.get(from)
  const count = served?.second === second ? served.count : 0
  if (count >= SERVED_PER_SECOND_MAX) return
  for (const slot of state.slots.values()) {
    const body = slot.bodies.get(digest)
    if (body === undefined) continue
    state.bodiesServed.set(from, { second, count: count + 1 })
    effects.send.push({ to: from, message: { type: 'body', batch: body.bytes } })
    return
  }
}
