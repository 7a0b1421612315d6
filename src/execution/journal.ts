// Write journals: a transaction's over its block's over the store, with one more layer for each nested call. A layer is merged
// into the one below it or simply forgotten, which is all there is to atomicity here.
import { compareUtf8 } from './utf8.ts'

/** The state at one height. Keys are `contract + '\0' + key`; a scan is in the order of UTF-8 bytes, strictly after `after`. */
export interface StateStore {
  get(key: string): string | undefined
  scan(prefix: string, after: string | undefined, limit: number): [key: string, value: string][]
}

/** What one page of the store's scan holds at least: a scan for one entry over many deleted ones must not ask one by one. */
const PAGE_MIN = 64

export class Journal implements StateStore {
  readonly #store: StateStore
  readonly #below: Journal | undefined
  /** null marks a deletion. */
  readonly #writes = new Map<string, string | null>()
  /** The written keys in order; made by the first scan, kept current from then on. */
  #sorted: string[] | undefined

  constructor(store: StateStore, below?: Journal) {
    this.#store = store
    this.#below = below
  }

  /** A new layer over this one. This one must not change while the new layer is in use. */
  open(): Journal {
    return new Journal(this.#store, this)
  }

  /** Puts this layer's writes into the one below. */
  merge(): void {
    if (this.#below === undefined)
      throw new Error('a journal directly over the store has nothing to merge into: take its writes')
    for (const [key, value] of this.#writes) this.#below.#write(key, value)
  }

  get(key: string): string | undefined {
    for (let layer: Journal | undefined = this; layer !== undefined; layer = layer.#below) {
      const value = layer.#writes.get(key)
      if (value !== undefined) return value ?? undefined
    }
    return this.#store.get(key)
  }

  set(key: string, value: string): void {
    this.#write(key, value)
  }

  delete(key: string): void {
    this.#write(key, null)
  }

  scan(prefix: string, after: string | undefined, limit: number): [key: string, value: string][] {
    return this.scanCounted(prefix, after, limit).entries
  }

  /** A scan that also says how many deleted keys it passed: work that its result does not show. */
  scanCounted(
    prefix: string,
    after: string | undefined,
    limit: number,
  ): { entries: [string, string][]; skipped: number } {
    const sources = this.#sources(prefix, after, limit)
    const entries: [string, string][] = []
    let skipped = 0
    while (entries.length < limit) {
      const key = leastKey(sources)
      if (key === undefined) break
      const value = take(sources, key)
      if (value === null) skipped++
      else entries.push([key, value])
    }
    return { entries, skipped }
  }

  /** This layer's own writes in byte order. A deletion is left out where the layer below has nothing to delete. */
  writes(): Map<string, string | null> {
    const below: StateStore = this.#below ?? this.#store
    const kept = new Map<string, string | null>()
    for (const key of this.#keys()) {
      const value = this.#writes.get(key)!
      if (value !== null || below.get(key) !== undefined) kept.set(key, value)
    }
    return kept
  }

  #write(key: string, value: string | null): void {
    if (this.#sorted !== undefined && !this.#writes.has(key)) this.#sorted.splice(lowerBound(this.#sorted, key), 0, key)
    this.#writes.set(key, value)
  }

  #keys(): string[] {
    this.#sorted ??= [...this.#writes.keys()].sort(compareUtf8)
    return this.#sorted
  }

  /** Nearest layer first, the store last: the first source that has a key decides it. */
  #sources(prefix: string, after: string | undefined, limit: number): Source[] {
    const sources: Source[] = []
    for (let layer: Journal | undefined = this; layer !== undefined; layer = layer.#below) {
      if (layer.#writes.size > 0) sources.push(layerSource(layer.#keys(), layer.#writes, prefix, after))
    }
    sources.push(storeSource(this.#store, prefix, after, limit))
    return sources
  }
}

/** A run of keys in byte order; `key` is undefined at its end. */
interface Source {
  readonly key: string | undefined
  readonly value: string | null
  advance(): void
}

function layerSource(
  keys: string[],
  writes: Map<string, string | null>,
  prefix: string,
  after: string | undefined,
): Source {
  let at = lowerBound(keys, prefix)
  if (after !== undefined && compareUtf8(after, prefix) >= 0) {
    at = lowerBound(keys, after)
    if (keys[at] === after) at++
  }
  return {
    get key() {
      const key = keys[at]
      return key?.startsWith(prefix) ? key : undefined
    },
    get value() {
      return writes.get(keys[at]!)!
    },
    advance: () => {
      at++
    },
  }
}

function storeSource(store: StateStore, prefix: string, after: string | undefined, limit: number): Source {
  const pageLength = Math.max(limit, PAGE_MIN)
  let page = store.scan(prefix, after, pageLength)
  let at = 0
  return {
    get key() {
      return page[at]?.[0]
    },
    get value() {
      return page[at]![1]
    },
    advance() {
      at++
      if (at < page.length || page.length < pageLength) return
      page = store.scan(prefix, page[at - 1]![0], pageLength)
      at = 0
    },
  }
}

function leastKey(sources: Source[]): string | undefined {
  let least: string | undefined
  for (const { key } of sources) {
    if (key !== undefined && (least === undefined || compareUtf8(key, least) < 0)) least = key
  }
  return least
}

/** The deciding value under the key, and every source moved past it. */
function take(sources: Source[], key: string): string | null {
  let value: string | null | undefined
  for (const source of sources) {
    if (source.key !== key) continue
    if (value === undefined) value = source.value
    source.advance()
  }
  return value!
}

/** The position of the first key that is not below the given one. */
function lowerBound(keys: string[], key: string): number {
  let low = 0
  let high = keys.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (compareUtf8(keys[middle]!, key) < 0) low = middle + 1
    else high = middle
  }
  return low
}
