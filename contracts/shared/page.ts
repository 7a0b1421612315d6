/**
 * Lists of any length in pages, by their keys: a view's result has 64 KiB, and its work must end. The next page starts after the last
 * entry of this one, whatever has come or gone since.
 */
import type { ReadableState } from 'quorate/contract'
import { sizeOf, wholeNumberOf } from './arguments.ts'
import { identifierOf, identifierText } from './identifier.ts'

/** `next` is the `after` of the page that follows, null where nothing follows. A page may be short, or empty, and not the last. */
export interface Page<Item, Key = string> {
  items: Item[]
  next: Key | null
}

export interface PageRequest {
  /** Keys in the state are `base + key`; the base is not seen outside. */
  base: string
  prefix: string
  after: string | undefined
  limit: number
}

interface Limits {
  /** Where none is given. */
  usual: number
  max: number
}

const LIMITS: Limits = { usual: 100, max: 100 }
/** Of lists that people look through. */
export const SHORT_LIMITS: Limits = { usual: 20, max: 50 }
/** Of the 64 KiB of a result, so that whatever stands around the page fits too. */
const PAGE_BYTES_MAX = 40 * 1024
/** Entries looked at for one page, where most are left out. */
const SCANNED_MAX = 1_000
/** Entries of one scan: 40 of the largest value that a contract here writes (16 KiB) stay under a scan's 1 MiB. */
const CHUNK = 40

/** From a view's arguments; `partOf` checks a key, or the beginning of one. */
export function pageRequest(
  base: string,
  fields: { readonly prefix?: unknown; readonly after?: unknown; readonly limit?: unknown },
  partOf: (value: unknown, label: string) => string,
  { usual, max }: Limits = LIMITS,
): PageRequest {
  const { prefix = '', after, limit = usual } = fields
  return {
    base,
    prefix: prefix === '' ? '' : partOf(prefix, 'prefix'),
    after: after === undefined ? undefined : partOf(after, 'after'),
    limit: wholeNumberOf(limit, 'limit', { min: 1, max }),
  }
}

/** The entries in the order of their keys, each as `itemOf` gives it; undefined leaves one out. */
export function pageOf<Value, Item>(
  state: ReadableState,
  { base, prefix, after, limit }: PageRequest,
  itemOf: (key: string, value: Value) => Item | undefined,
): Page<Item> {
  const items: Item[] = []
  const chunk = Math.min(limit + 1, CHUNK)
  let bytes = 0
  let last = after
  for (let scanned = 0; scanned < SCANNED_MAX; scanned += chunk) {
    const from = last === undefined ? undefined : base + last
    const entries = state.scan<Value>(base + prefix, { after: from, limit: chunk })
    for (const [stateKey, value] of entries) {
      const key = stateKey.slice(base.length)
      const item = itemOf(key, value)
      if (item !== undefined) {
        bytes += sizeOf(item)
        if (items.length === limit || (bytes > PAGE_BYTES_MAX && items.length > 0)) return { items, next: last! }
        items.push(item)
      }
      last = key
    }
    if (entries.length < chunk) return { items, next: null }
  }
  return { items, next: last! }
}

/** A page of a list whose keys end in numbers that the contract gave; `after` and `next` are such numbers. */
export function numberedPageOf<Value, Item>(
  state: ReadableState,
  base: string,
  { after, limit }: { readonly after?: unknown; readonly limit?: unknown },
  itemOf: (identifier: number, value: Value) => Item,
): Page<Item, number> {
  const keyOf = (value: unknown, label: string) => identifierText(identifierOf(value, label))
  const request = pageRequest(base, { after, limit }, keyOf, SHORT_LIMITS)
  const { items, next } = pageOf<Value, Item>(state, request, (key, value) => itemOf(Number(key), value))
  return { items, next: next === null ? null : Number(next) }
}
