/** State entries by time: keys in which the order of bytes is that of time, and ranges of them. */
import type { ReadableState } from 'quorate/contract'
import { refuse, wholeNumberOf } from '../shared/arguments.ts'

/** The digits of the largest safe integer. */
const TIME_DIGITS = 16

/** From `from` up to, but without, `to`: ms since 1970. */
export interface Range {
  from: number
  to: number
}

export function timeOf(value: unknown, label: string): number {
  return wholeNumberOf(value, label, { min: 0, max: Number.MAX_SAFE_INTEGER })
}

export function rangeOf(fields: { from?: unknown; to?: unknown }): Range {
  const from = timeOf(fields.from, 'from')
  const to = timeOf(fields.to, 'to')
  if (from >= to) refuse(`the range from ${from} to ${to} is empty: give a from below to`)
  return { from, to }
}

export function timeKey(base: string, time: number): string {
  return base + time.toString().padStart(TIME_DIGITS, '0')
}

/** At most `limit` entries of the range, in the order of time. */
export function entriesOf<Value>(
  state: ReadableState,
  base: string,
  { from, to, limit }: Range & { limit: number },
): { time: number; value: Value }[] {
  // Strictly after the millisecond before.
  const after = from === 0 ? undefined : timeKey(base, from - 1)
  return state
    .scan<Value>(base, { after, limit })
    .map(([key, value]) => ({ time: Number(key.slice(base.length)), value }))
    .filter(({ time }) => time < to)
}
