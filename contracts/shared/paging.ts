/** Lists of any length in pages: a view's result has 64 KiB, and its work must end. */
import type { ReadableState } from 'quorate/contract'
import { sizeOf, wholeNumberOf } from './arguments.ts'

/** `next` is the `after` of the page that follows, null where nothing follows. A page may be short, or empty, and not the last. */
export interface Page<Item> {
  items: Item[]
  next: string | null
}

export interface PageRequest {
  /** Keys in the state are `base + key`; the base is not seen outside. */
  base: string
  prefix: string
  after: string | undefined
  limit: number
}

const LIMIT_MAX = 100
/** Half of what a result may have, so that whatever stands around the page fits too. */
const PAGE_BYTES_MAX = 32 * 1024
/** Entries looked at for one page, where most are left out. */
const SCANNED_MAX = 1_000
/** Entries of one scan: 40 of the largest value that a contract here writes (16 KiB) stay under a scan's 1 MiB. */
const CHUNK = 40

/** From a view's arguments; `partOf` checks a key, or the beginning of one. */
export function pageRequest(
  base: string,
  { prefix = '', after, limit = LIMIT_MAX }: { prefix?: unknown; after?: unknown; limit?: unknown },
  partOf: (value: unknown, label: string) => string,
): PageRequest {
  return {
    base,
    prefix: prefix === '' ? '' : partOf(prefix, 'prefix'),
    after: after === undefined ? undefined : partOf(after, 'after'),
    limit: wholeNumberOf(limit, 'limit', { min: 1, max: LIMIT_MAX }),
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
