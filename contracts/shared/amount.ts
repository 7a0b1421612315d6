// Amounts are canonical decimal strings outside and in the state, BigInt inside. An amount of zero is not stored.
import type { CallContext } from 'quorate/contract'
import { type Context, refuseValue } from './arguments.ts'

/** 78 digits hold every 256-bit number, the widest amount other ledgers use. */
export const AMOUNT_DIGITS_MAX = 78

export function amountOf(value: unknown, label: string): bigint {
  const amount = typeof value === 'string' && value.length <= AMOUNT_DIGITS_MAX ? canonical(value) : undefined
  if (amount !== undefined) return amount
  refuseValue(value, label, `a decimal string of at most ${AMOUNT_DIGITS_MAX} digits, without sign or leading zeros`)
}

/** Undefined for all but the one text that the amount is written as. A pattern would take longer than reading the number. */
function canonical(text: string): bigint | undefined {
  try {
    const amount = BigInt(text)
    return amount >= 0n && amount.toString() === text ? amount : undefined
  } catch {
    return undefined
  }
}

export const isTooLong = (amount: bigint): boolean => amount.toString().length > AMOUNT_DIGITS_MAX

export function readAmount(ctx: Context, key: string): bigint {
  return BigInt(ctx.state.get<string>(key) ?? '0')
}

export function writeAmount(ctx: CallContext, key: string, amount: bigint): void {
  if (amount === 0n) ctx.state.delete(key)
  else ctx.state.set(key, amount.toString())
}
