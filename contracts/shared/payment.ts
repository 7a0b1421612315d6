// Takes and gives tokens through a contract with the interface of the shipped token.
import { assert, type CallContext } from 'quorate/contract'
import { contractNameOf, ownAccount } from './account.ts'
import { amountOf } from './amount.ts'
import type { Context } from './arguments.ts'

/** The name of a token contract that is there: a misspelt one is found out before anything depends on it. */
export function tokenOf(ctx: Context, value: unknown, label: string): string {
  const token = contractNameOf(value, label)
  try {
    heldOf(ctx, token)
  } catch (error) {
    const reason = (error as Error).message
    throw new Error(`${label} ${token} is no token (${reason}): correct the name, or deploy the token first`)
  }
  return token
}

/** What the running contract has of a token. */
export function heldOf(ctx: Context, token: string): bigint {
  return amountOf(ctx.view(token, 'balanceOf', { account: ownAccount(ctx) }), `the balance that ${token} tells`)
}

/** Takes tokens for which the account has approved the running contract. */
export function collect(ctx: CallContext, token: string, { from, amount }: { from: string; amount: bigint }): void {
  const before = heldOf(ctx, token)
  ctx.call(token, 'transferFrom', { from, to: ownAccount(ctx), amount: amount.toString() })
  // A token may keep a part of each transfer, or be no token: what did not arrive could only be paid out of what others own.
  const arrived = heldOf(ctx, token) - before
  assert(
    arrived === amount,
    `${token} brought ${arrived} instead of ${amount}: use a token that moves what it is told to`,
  )
}

export function payOut(ctx: CallContext, token: string, { to, amount }: { to: string; amount: bigint }): void {
  if (amount > 0n) ctx.call(token, 'transfer', { to, amount: amount.toString() })
}
