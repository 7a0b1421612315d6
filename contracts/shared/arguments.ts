/**
 * Argument checks of the shipped contracts. Arguments are whatever JSON the caller sent; what is wrong with one is said with its
 * name, what came, and what to give instead. Numbers are safe integers.
 */

/** Throws an error with this message: outside all handlers the transaction is reverted. */
export function refuse(message: string): never {
  throw new Error(message)
}

/**
 * The arguments as an object that has no other fields than the named ones, which are still to be checked. A field that is not known
 * is refused, because a misspelt one would silently mean its default.
 */
export function fieldsOf<Name extends string>(
  args: unknown,
  names: readonly Name[],
  label = 'arguments',
): Readonly<Partial<Record<Name, unknown>>> {
  if (typeof args !== 'object' || args === null || Array.isArray(args)) refuse(`${label} must be a JSON object`)
  for (const name of Object.keys(args)) {
    if (!names.includes(name as Name)) refuse(`${label}: ${shown(name)} is not known: give ${names.join(', ')} only`)
  }
  return args as Readonly<Partial<Record<Name, unknown>>>
}

/** One segment of a state key: it holds no slash, so keys made of several names never run into each other. */
const NAME_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$/

export function nameOf(value: unknown, label: string): string {
  if (typeof value === 'string' && NAME_PATTERN.test(value)) return value
  refuse(`${label} is ${shown(value)}: give 1 to 64 of A-Z, a-z, 0-9 and . _ : - that start with a letter or digit`)
}

export function textOf(value: unknown, label: string, { charactersMax }: { charactersMax: number }): string {
  if (typeof value === 'string' && value !== '' && value.length <= charactersMax) return value
  refuse(`${label} is ${shown(value)}: give text of 1 to ${charactersMax} characters`)
}

export function wholeNumberOf(value: unknown, label: string, { min, max }: { min: number; max: number }): number {
  if (Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max) return value as number
  refuse(`${label} is ${shown(value)}: give a whole number from ${min} to ${max}`)
}

export function flagOf(value: unknown, label: string): boolean {
  if (typeof value === 'boolean') return value
  refuse(`${label} is ${shown(value)}: give true or false`)
}

export function choiceOf<Choice extends string>(value: unknown, label: string, choices: readonly Choice[]): Choice {
  if (choices.includes(value as Choice)) return value as Choice
  refuse(`${label} is ${shown(value)}: give ${choices.join(' or ')}`)
}

export function listOf(value: unknown, label: string, { min = 0, max }: { min?: number; max: number }): unknown[] {
  if (!Array.isArray(value)) refuse(`${label} is ${shown(value)}: give a list of ${min} to ${max} entries`)
  if (value.length >= min && value.length <= max) return value
  refuse(`${label} has ${value.length} entries: give ${min} to ${max}`)
}

/** Any JSON value of a bounded size. */
export function jsonOf(value: unknown, label: string, { bytesMax }: { bytesMax: number }): unknown {
  if (value === undefined) refuse(`${label} is missing: give a JSON value`)
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
const SHOWN_MAX = 60

/** A value as messages show it: short, because a message has 1 KiB. */
export function shown(value: unknown): string {
  if (value === undefined) return 'missing'
  const text = JSON.stringify(value)
  return text.length <= SHOWN_MAX ? text : `${text.slice(0, SHOWN_MAX)}…`
}
