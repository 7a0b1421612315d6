// Numbers that a contract gives to what it makes, from 1 on. Keys hold them with leading zeros, so that their byte order is theirs.
import { assert, type CallContext } from 'quorate/contract'
import { wholeNumberOf } from './arguments.ts'

const DIGITS = 10
const IDENTIFIER_MAX = 10 ** DIGITS - 1

export const identifierText = (identifier: number): string => String(identifier).padStart(DIGITS, '0')

export function identifierOf(value: unknown, label: string): number {
  return wholeNumberOf(value, label, { min: 1, max: IDENTIFIER_MAX })
}

/** The next number after the one under the key, which is the last one given. */
export function nextIdentifier(ctx: CallContext, key: string): number {
  const identifier = (ctx.state.get<number>(key) ?? 0) + 1
  assert(identifier <= IDENTIFIER_MAX, `all ${IDENTIFIER_MAX} numbers of ${key} are given: deploy another contract`)
  ctx.state.set(key, identifier)
  return identifier
}
