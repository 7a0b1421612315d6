/**
 * Argument checks of the shipped contracts. Arguments are whatever JSON the caller sent; what is wrong with one is said with its
 * name, what came, and what to give instead. Numbers are safe integers.
 */
import type { CallContext, ViewContext } from 'quorate/contract'

export type Context = CallContext | ViewContext

/** Throws an error with this message: outside all handlers the transaction is reverted. */
export function refuse(message: string): never {
  throw new Error(message)
}

/** Its own function, so that the message costs nothing where all is well. */
export function refuseValue(value: unknown, label: string, wanted: string): never {
  refuse(`${label} is ${shown(value)}: give ${wanted}`)
}

/**
 * The arguments as an object whose fields are still to be checked. With `names`, a field that is not among them is refused, because a
 * misspelt one would silently mean its default.
 */
export function fieldsOf<Name extends string>(
  args: unknown,
  names?: readonly Name[],
  label = 'arguments',
): Readonly<Partial<Record<Name, unknown>>> {
  if (typeof args !== 'object' || args === null || Array.isArray(args)) {
    refuse(`${label} must be a JSON object, not ${shown(args)}`)
  }
  const stray = names && Object.keys(args).find((name) => !names.includes(name as Name))
  if (stray !== undefined) refuse(`${label}: ${shown(stray)} is not known: give ${names!.join(', ')} only`)
  return args as Readonly<Partial<Record<Name, unknown>>>
}

export function matchOf(value: unknown, label: string, { pattern, form }: { pattern: RegExp; form: string }): string {
  return typeof value === 'string' && pattern.test(value) ? value : refuseValue(value, label, form)
}

/** One segment of a state key: it holds no slash, so keys made of several names never run into each other. */
const NAME = {
  pattern: /^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$/,
  form: '1 to 64 of A-Z, a-z, 0-9 and . _ : - that start with a letter or digit',
}

export function nameOf(value: unknown, label: string): string {
  return matchOf(value, label, NAME)
}

export function textOf(value: unknown, label: string, { charactersMax }: { charactersMax: number }): string {
  if (typeof value === 'string' && value !== '' && value.length <= charactersMax) return value
  refuseValue(value, label, `text of 1 to ${charactersMax} characters`)
}

export function wholeNumberOf(value: unknown, label: string, { min, max }: { min: number; max: number }): number {
  if (Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max) return value as number
  refuseValue(value, label, `a whole number from ${min} to ${max}`)
}

/** The last moment that a Date can tell, in milliseconds since 1970. */
const TIME_MAX = 8_640_000_000_000_000

/** A moment after the block's, up to `aheadMaxMs` later. */
export function futureOf(
  { block: { time } }: Context,
  value: unknown,
  label: string,
  { aheadMaxMs }: { aheadMaxMs: number },
): number {
  return wholeNumberOf(value, label, { min: time + 1, max: Math.min(time + aheadMaxMs, TIME_MAX) })
}

export function flagOf(value: unknown, label: string): boolean {
  return typeof value === 'boolean' ? value : refuseValue(value, label, 'true or false')
}

export function choiceOf<Choice extends string>(value: unknown, label: string, choices: readonly Choice[]): Choice {
  return choices.includes(value as Choice) ? (value as Choice) : refuseValue(value, label, choices.join(' or '))
}

export function listOf(value: unknown, label: string, { min = 0, max }: { min?: number; max: number }): unknown[] {
  if (!Array.isArray(value)) refuseValue(value, label, `a list of ${min} to ${max} entries`)
  if (value.length >= min && value.length <= max) return value
  refuse(`${label} has ${value.length} entries: give ${min} to ${max}`)
}

/** Any JSON value of a bounded size. */
export function jsonOf(value: unknown, label: string, { bytesMax }: { bytesMax: number }): unknown {
  if (value === undefined) refuseValue(value, label, 'a JSON value')
  const bytes = sizeOf(value)
  if (bytes <= bytesMax) return value
  refuse(`${label} takes up to ${bytes} bytes as JSON: give at most ${bytesMax}`)
}

/** The most bytes the value can take as JSON in UTF-8: exact for ASCII, and never too low. */
export function sizeOf(value: unknown): number {
  const text = JSON.stringify(value)
  return text.length + 2 * (text.match(BEYOND_ASCII)?.length ?? 0)
}

/** A UTF-16 unit that is not ASCII takes at most three bytes of UTF-8. */
const BEYOND_ASCII = /[\u0080-\uffff]/g
/** Long enough to recognise an account. */
const SHOWN_MAX = 80

/** A value as messages show it: short, because a message has 1 KiB. */
export function shown(value: unknown): string {
  if (value === undefined) return 'missing'
  const text = JSON.stringify(value)
  return text.length <= SHOWN_MAX ? text : `${text.slice(0, SHOWN_MAX)}…`
}
