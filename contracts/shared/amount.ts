// Amounts are canonical decimal strings outside and in the state, BigInt inside. An amount of zero is not stored.
import type { CallContext } from 'quorate/contract'
import { type Context, refuseValue } from './arguments.ts'

/** 78 digits hold every 256-bit number, the widest amount other ledgers use. */
export const AMOUNT_DIGITS_MAX = 78
const AMOUNT_PATTERN = /^(0|[1-9][0-9]*)$/

export function amountOf(value: unknown, label: string): bigint {
  const isAmount = typeof value === 'string' && value.length <= AMOUNT_DIGITS_MAX && AMOUNT_PATTERN.test(value)
  if (isAmount) return BigInt(value)
  refuseValue(value, label, `a decimal string of at most ${AMOUNT_DIGITS_MAX} digits, without sign or leading zeros`)
}

export const isTooLong = (amount: bigint): boolean => amount.toString().length > AMOUNT_DIGITS_MAX

export function readAmount(ctx: Context, key: string): bigint {
  return BigInt(ctx.state.get<string>(key) ?? '0')
}

export function writeAmount(ctx: CallContext, key: string, amount: bigint): void {
  if (amount === 0n) ctx.state.delete(key)
  else ctx.state.set(key, amount.toString())
}
