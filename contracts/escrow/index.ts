/**
 * The shipped escrow: holds tokens between a buyer and a seller until the buyer releases them, the seller or the deadline gives them
 * back, or an arbiter divides them.
 * State: `escrows` (the last escrow's number), `escrow/ESCROW`, `party/ACCOUNT/ESCROW` (the escrows that an account takes part in).
 */
import { assert, type CallContext, contract } from 'quorate/contract'
import { accountOf, ownAccount } from '../shared/account.ts'
import { amountOf } from '../shared/amount.ts'
import { type Context, fieldsOf, futureOf, wholeNumberOf } from '../shared/arguments.ts'
import { identifierOf } from '../shared/identifier.ts'
import { numberedPageOf } from '../shared/page.ts'
import { collect, payOut, tokenOf } from '../shared/payment.ts'
import {
  addEscrow,
  type Escrow,
  escrowsOf,
  expectBeforeDeadline,
  expectSender,
  expectStatus,
  readEscrow,
  writeEscrow,
} from './escrows.ts'

const DAY_MS = 24 * 60 * 60 * 1000
/** Longer is most likely a mistake, such as microseconds. */
const AHEAD_MAX_MS = 10 * 366 * DAY_MS
const ARBITRATION_DEFAULT_MS = 30 * DAY_MS
const ARBITRATION_MAX_MS = 366 * DAY_MS

/** The parties: each another, and none this contract, which could never ask for what it were sent. */
function partiesOf(
  ctx: CallContext,
  given: { readonly seller?: unknown; readonly arbiter?: unknown },
): Pick<Escrow, 'buyer' | 'seller' | 'arbiter'> {
  const buyer = ctx.sender
  const seller = accountOf(ctx, given.seller, 'seller')
  const arbiter = (given.arbiter ?? null) === null ? null : accountOf(ctx, given.arbiter, 'arbiter')
  assert(seller !== buyer, 'seller is the sender, who is the buyer: name another account')
  assert(arbiter !== buyer && arbiter !== seller, 'arbiter is one of the parties: name another account, or none')
  for (const party of [seller, arbiter]) {
    assert(party !== ownAccount(ctx), `${party} is this contract, which cannot act: name another account`)
  }
  return { buyer, seller, arbiter }
}

function found(ctx: Context, args: unknown): { escrow: number; content: Escrow } {
  const escrow = identifierOf(fieldsOf(args, ['escrow']).escrow, 'escrow')
  return { escrow, content: readEscrow(ctx, escrow) }
}

/** Ends an escrow with tokens: so much to the seller, the rest to the buyer. */
function settle(
  ctx: CallContext,
  { escrow, content }: { escrow: number; content: Escrow },
  { status, toSeller }: { status: 'released' | 'refunded' | 'resolved'; toSeller: bigint },
): void {
  const { token, buyer, seller } = content
  writeEscrow(ctx, escrow, { ...content, status, toSeller: toSeller.toString() })
  payOut(ctx, token, { to: seller, amount: toSeller })
  payOut(ctx, token, { to: buyer, amount: BigInt(content.amount) - toSeller })
}

export default contract({
  calls: {
    /** The sender is the buyer. Gives the escrow's number. */
    create(
      ctx,
      args: {
        seller: string
        arbiter?: string | null
        amount: string
        token: string
        deadline: number
        arbitrationMs?: number
      },
    ) {
      const fields = fieldsOf(args, ['seller', 'arbiter', 'amount', 'token', 'deadline', 'arbitrationMs'])
      const parties = partiesOf(ctx, fields)
      const { arbitrationMs = ARBITRATION_DEFAULT_MS } = fields
      const amount = amountOf(fields.amount, 'amount')
      assert(amount > 0n, 'amount is 0: an escrow holds at least 1')
      const content: Escrow = {
        ...parties,
        token: tokenOf(ctx, fields.token, 'token'),
        amount: amount.toString(),
        deadline: futureOf(ctx, fields.deadline, 'deadline', { aheadMaxMs: AHEAD_MAX_MS }),
        arbitrationMs: wholeNumberOf(arbitrationMs, 'arbitrationMs', { min: 1, max: ARBITRATION_MAX_MS }),
        status: 'created',
        toSeller: null,
      }
      const escrow = addEscrow(ctx, content)
      const { status: _status, toSeller: _toSeller, ...terms } = content
      ctx.emit('Created', { escrow, ...terms })
      return escrow
    },

    /** Takes the amount from the buyer, who has approved this contract for it. */
    fund(ctx, args: { escrow: number }) {
      const { escrow, content } = found(ctx, args)
      const { buyer, token, amount } = content
      expectSender(ctx, escrow, [buyer])
      expectStatus(escrow, content, ['created'])
      expectBeforeDeadline(ctx, escrow, content)
      writeEscrow(ctx, escrow, { ...content, status: 'funded' })
      collect(ctx, token, { from: buyer, amount: BigInt(amount) })
      ctx.emit('Funded', { escrow })
    },

    /** Calls off what was never funded. */
    cancel(ctx, args: { escrow: number }) {
      const { escrow, content } = found(ctx, args)
      expectSender(ctx, escrow, [content.buyer, content.seller])
      expectStatus(escrow, content, ['created'])
      writeEscrow(ctx, escrow, { ...content, status: 'cancelled' })
      ctx.emit('Cancelled', { escrow, by: ctx.sender })
    },

    /** The buyer lets the seller have it all, also in a dispute. */
    release(ctx, args: { escrow: number }) {
      const { escrow, content } = found(ctx, args)
      expectSender(ctx, escrow, [content.buyer])
      expectStatus(escrow, content, ['funded', 'disputed'])
      settle(ctx, { escrow, content }, { status: 'released', toSeller: BigInt(content.amount) })
      ctx.emit('Released', { escrow })
    },

    /** The seller gives it all back, also in a dispute; from the deadline on anyone may. */
    refund(ctx, args: { escrow: number }) {
      const { escrow, content } = found(ctx, args)
      if (ctx.block.time < content.deadline) expectSender(ctx, escrow, [content.seller])
      expectStatus(escrow, content, ['funded', 'disputed'])
      settle(ctx, { escrow, content }, { status: 'refunded', toSeller: 0n })
      ctx.emit('Refunded', { escrow, by: ctx.sender })
    },

    /** Buyer or seller hands the decision to the arbiter, whose time ends at the new deadline. */
    dispute(ctx, args: { escrow: number }) {
      const { escrow, content } = found(ctx, args)
      const { buyer, seller, arbiter, arbitrationMs } = content
      expectSender(ctx, escrow, [buyer, seller])
      expectStatus(escrow, content, ['funded'])
      expectBeforeDeadline(ctx, escrow, content)
      assert(arbiter !== null, `escrow ${escrow} has no arbiter: buyer and seller have to agree, by release or refund`)
      const deadline = Math.max(content.deadline, ctx.block.time + arbitrationMs)
      writeEscrow(ctx, escrow, { ...content, status: 'disputed', deadline })
      ctx.emit('Disputed', { escrow, by: ctx.sender, deadline })
    },

    /** The arbiter gives the seller so much and the buyer the rest. */
    resolve(ctx, args: { escrow: number; toSeller: string }) {
      const { toSeller, ...rest } = fieldsOf(args, ['escrow', 'toSeller'])
      const { escrow, content } = found(ctx, rest)
      expectSender(ctx, escrow, [content.arbiter])
      expectStatus(escrow, content, ['disputed'])
      expectBeforeDeadline(ctx, escrow, content)
      const [part, whole] = [amountOf(toSeller, 'toSeller'), BigInt(content.amount)]
      assert(part <= whole, `toSeller is ${part}, more than the ${whole} of escrow ${escrow}: give a part of that`)
      settle(ctx, { escrow, content }, { status: 'resolved', toSeller: part })
      ctx.emit('Resolved', { escrow, toSeller: part.toString(), toBuyer: (whole - part).toString() })
    },
  },

  views: {
    escrow(ctx, args: { escrow: number }) {
      const { escrow, content } = found(ctx, args)
      return { escrow, ...content }
    },

    /** Those in which the account is buyer, seller or arbiter. */
    escrows(ctx, args: { account: string; after?: number; limit?: number }) {
      const fields = fieldsOf(args, ['account', 'after', 'limit'])
      const base = escrowsOf(accountOf(ctx, fields.account, 'account'))
      const { items, next } = numberedPageOf(ctx.state, base, fields, (escrow) => ({
        escrow,
        ...readEscrow(ctx, escrow),
      }))
      return { escrows: items, next }
    },
  },
})
