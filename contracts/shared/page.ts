// Lists in pages, by their keys: the next page starts after the last entry of this one, whatever has come or gone since.
import { type Context, type Fields, isAbsent, wholeNumberOf } from './fields.ts'
import { identifierOf, identifierText } from './identifier.ts'

/** Entries of a page. A result ends at 64 KiB, and an entry of the shipped contracts at about 1 KiB. */
export const PAGE_MAX = 50
const PAGE_DEFAULT = 20

export interface Page<Value> {
  /** Without the prefix in their keys. */
  entries: [key: string, value: Value][]
  /** The last key of this page; null where no other page follows. */
  next: string | null
}

export function pageOf<Value>(
  ctx: Context,
  fields: Fields,
  { prefix, after }: { prefix: string; after?: string },
): Page<Value> {
  const limit = isAbsent(fields, 'limit') ? PAGE_DEFAULT : wholeNumberOf(fields, 'limit', { min: 1, max: PAGE_MAX })
  // One more than asked for tells whether another page follows.
  const found = ctx.state.scan<Value>(prefix, {
    after: after === undefined ? undefined : prefix + after,
    limit: limit + 1,
  })
  const entries = found.slice(0, limit).map(([key, value]): [string, Value] => [key.slice(prefix.length), value])
  return { entries, next: found.length > limit ? entries.at(-1)![0] : null }
}

/** A page of a list whose keys end in numbers that the contract gave; `after` is such a number. */
export function numberedPageOf<Value>(
  ctx: Context,
  fields: Fields,
  prefix: string,
): { entries: [identifier: number, value: Value][]; next: number | null } {
  const after = isAbsent(fields, 'after') ? undefined : identifierText(identifierOf(fields, 'after'))
  const { entries, next } = pageOf<Value>(ctx, fields, { prefix, after })
  return {
    entries: entries.map(([key, value]) => [Number(key), value]),
    next: next === null ? null : Number(next),
  }
}
