// One escrow: who is in it, what it is about, how far it is. It is open until its tokens went somewhere, or it was called off without any.
import { assert, type CallContext } from 'quorate/contract'
import type { Context } from '../shared/arguments.ts'
import { identifierText, nextIdentifier } from '../shared/identifier.ts'

export interface Escrow {
  buyer: string
  seller: string
  /** Who decides a dispute; null where there is nobody. */
  arbiter: string | null
  token: string
  amount: string
  /** Block time in ms from which on it can no longer be funded or disputed, and anyone may send its tokens back to the buyer. */
  deadline: number
  /** How long the arbiter has from the dispute on. */
  arbitrationMs: number
  status: 'created' | 'funded' | 'disputed' | 'released' | 'refunded' | 'resolved' | 'cancelled'
  /** What the seller got when it ended; the buyer got the rest. Null before. */
  toSeller: string | null
}

const escrowKey = (escrow: number) => `escrow/${identifierText(escrow)}`
export const escrowsOf = (account: string) => `party/${account}/`

export function readEscrow(ctx: Context, escrow: number): Escrow {
  const found = ctx.state.get<Escrow>(escrowKey(escrow))
  assert(found !== undefined, `there is no escrow ${escrow}: the view escrows lists those of an account`)
  return found
}

export function writeEscrow(ctx: CallContext, escrow: number, content: Escrow): void {
  ctx.state.set(escrowKey(escrow), content)
}

export function addEscrow(ctx: CallContext, content: Escrow): number {
  const escrow = nextIdentifier(ctx, 'escrows')
  writeEscrow(ctx, escrow, content)
  for (const party of [content.buyer, content.seller, content.arbiter]) {
    if (party !== null) ctx.state.set(escrowsOf(party) + identifierText(escrow), true)
  }
  return escrow
}

/** Refuses what its status does not allow. */
export function expectStatus(escrow: number, { status }: Escrow, allowed: Escrow['status'][]): void {
  assert(allowed.includes(status), `escrow ${escrow} is ${status}: this takes one that is ${allowed.join(' or ')}`)
}

/** Refuses a sender that is not one of these. */
export function expectSender(ctx: CallContext, escrow: number, allowed: (string | null)[]): void {
  assert(
    allowed.includes(ctx.sender),
    `escrow ${escrow}: only ${allowed.join(' or ')} may do this now: send it from there`,
  )
}

export function expectBeforeDeadline(ctx: Context, escrow: number, { deadline }: Escrow): void {
  const { time } = ctx.block
  assert(time < deadline, `escrow ${escrow} had its deadline at ${deadline}, now is ${time}: only release or refund it`)
}
