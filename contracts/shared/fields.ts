// The arguments of a handler are whatever JSON somebody sent: each field is checked here, and an error says what was expected and what came.
import type { CallContext, ViewContext } from 'quorate/contract'

export type Context = CallContext | ViewContext
export type Fields = Record<string, unknown>

/**
 * The arguments as an object whose fields are still to be checked. With `names`, any other field is refused: a misspelt optional
 * field must not pass for an absent one.
 */
export function fieldsOf(args: unknown, names?: readonly string[]): Fields {
  if (typeof args !== 'object' || args === null || Array.isArray(args)) refuse('arguments', 'a JSON object', args)
  const stray = names && Object.keys(args).find((name) => !names.includes(name))
  if (stray !== undefined) {
    throw new Error(`${shown(stray)} is no argument here: take it out, or use one of [${names!.join(', ')}]`)
  }
  return args as Fields
}

export function textOf(fields: Fields, name: string, lengthMax: number): string {
  const text = fields[name]
  if (typeof text === 'string' && text.length >= 1 && text.length <= lengthMax) return text
  return refuse(name, `text of 1 to ${lengthMax} characters`, text)
}

export function matchOf(fields: Fields, name: string, { pattern, form }: { pattern: RegExp; form: string }): string {
  const text = fields[name]
  return typeof text === 'string' && pattern.test(text) ? text : refuse(name, form, text)
}

export function wholeNumberOf(fields: Fields, name: string, { min, max }: { min: number; max: number }): number {
  const number = fields[name]
  if (Number.isSafeInteger(number) && (number as number) >= min && (number as number) <= max) return number as number
  return refuse(name, `a whole number from ${min} to ${max}`, number)
}

/** The last moment that a Date can tell, in milliseconds since 1970. */
const TIME_MAX = 8_640_000_000_000_000

/** A moment after the block's, up to `aheadMaxMs` later. */
export function futureOf(
  ctx: Context,
  fields: Fields,
  { name, aheadMaxMs }: { name: string; aheadMaxMs: number },
): number {
  const { time } = ctx.block
  return wholeNumberOf(fields, name, { min: time + 1, max: Math.min(time + aheadMaxMs, TIME_MAX) })
}

export const isAbsent = (fields: Fields, name: string): boolean => fields[name] === undefined

/** Throws; its own function, so that the message costs nothing where all is well. */
export function refuse(name: string, expected: string, value: unknown): never {
  throw new Error(`${name} must be ${expected}; it is ${shown(value)}`)
}

/** Long enough to recognise an account. */
const SHOWN_LENGTH_MAX = 80

function shown(value: unknown): string {
  if (value === undefined) return 'missing'
  const text = JSON.stringify(value)
  return text.length > SHOWN_LENGTH_MAX ? `${text.slice(0, SHOWN_LENGTH_MAX)}…` : text
}
