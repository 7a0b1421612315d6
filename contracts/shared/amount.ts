// Amounts are canonical decimal strings outside and in the state, BigInt inside. An amount of zero is not stored.
import type { CallContext } from 'quorate/contract'
import { type Context, refuse } from './fields.ts'

/** 78 digits hold every 256-bit number, the widest amount other ledgers use. */
export const AMOUNT_DIGITS_MAX = 78
const AMOUNT_PATTERN = /^(0|[1-9][0-9]*)$/

export function amountOf(amount: unknown, name: string): bigint {
  const isAmount = typeof amount === 'string' && amount.length <= AMOUNT_DIGITS_MAX && AMOUNT_PATTERN.test(amount)
  if (isAmount) return BigInt(amount)
  return refuse(name, `a decimal string of at most ${AMOUNT_DIGITS_MAX} digits, without sign or leading zeros`, amount)
}

export const isTooLong = (amount: bigint): boolean => amount.toString().length > AMOUNT_DIGITS_MAX

export function readAmount(ctx: Context, key: string): bigint {
  return BigInt(ctx.state.get<string>(key) ?? '0')
}

export function writeAmount(ctx: CallContext, key: string, amount: bigint): void {
  if (amount === 0n) ctx.state.delete(key)
  else ctx.state.set(key, amount.toString())
}
