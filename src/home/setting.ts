// What one setting is: its default, how it reads from a text, what it may be, and what a reader of config.toml is told about it.
import { z } from 'zod'

export type SettingKind = 'text' | 'number' | 'flag' | 'list'

export interface Setting<T> {
  readonly kind: SettingKind
  readonly schema: z.ZodType<T>
  readonly default: T
  /** What a value may be, as in "expected …". */
  readonly expected: string
  /** Empty where a value is not measured in anything. */
  readonly unit: string
  readonly meaning: string
}

export function number(value: number, min: number, max: number, unit: string, meaning: string): Setting<number> {
  const expected = `a whole number from ${min} to ${max}`
  return { kind: 'number', schema: z.int().min(min).max(max), default: value, expected, unit, meaning }
}

export function flag(value: boolean, meaning: string): Setting<boolean> {
  return { kind: 'flag', schema: z.boolean(), default: value, expected: 'true or false', unit: '', meaning }
}

export function text(value: string, pattern: RegExp, expected: string, meaning: string): Setting<string> {
  return { kind: 'text', schema: z.string().regex(pattern), default: value, expected, unit: '', meaning }
}

export function choice<const T extends string>(value: NoInfer<T>, values: readonly T[], meaning: string): Setting<T> {
  const expected = `one of ${values.join(', ')}`
  return { kind: 'text', schema: z.enum(values), default: value, expected, unit: '', meaning }
}

/** `expected` describes one item. */
export function list(
  value: string[],
  pattern: RegExp,
  itemsMin: number,
  expected: string,
  meaning: string,
): Setting<string[]> {
  const schema = z.array(z.string().regex(pattern)).min(itemsMin).max(ITEMS_MAX)
  const words = `${itemsMin === 0 ? 'a list' : 'a list, not empty,'} of ${expected}`
  return { kind: 'list', schema, default: value, expected: words, unit: '', meaning }
}
const ITEMS_MAX = 1_000

/** A value from the environment or a flag, where everything is text; left as it is where it does not read as its kind. */
export function fromText(kind: SettingKind, value: string): unknown {
  if (kind === 'number') return /^-?\d+$/.test(value.trim()) ? Number(value) : value
  if (kind === 'flag') return value === 'true' ? true : value === 'false' ? false : value
  if (kind === 'list') return value.split(',').flatMap((item) => (item.trim() === '' ? [] : [item.trim()]))
  return value
}
