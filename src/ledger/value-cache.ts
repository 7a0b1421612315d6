// Latest state values in memory, for the one handle that commits: nobody else changes them, so what was read or written stays right.
//
// A contract's call reads the same few keys again and again, each block writes back what it read, and a synchronous read of LevelDB
// takes some ten times as long as one of a map.

export interface ValueCache {
  /** Null: there is no such key. Undefined: not known here. */
  get(key: string): string | null | undefined
  set(key: string, value: string | null): void
}

/** About 32 MiB. */
const CHARACTERS_MAX = 16 * 1024 * 1024
/** What one entry takes besides its characters. */
const ENTRY_CHARACTERS = 64
/** One large value would push out thousands of small ones. */
const VALUE_CHARACTERS_MAX = 64 * 1024

export function createValueCache(charactersMax: number = CHARACTERS_MAX): ValueCache {
  const values = new Map<string, string | null>()
  let characters = 0
  const sizeOf = (key: string, value: string | null) => ENTRY_CHARACTERS + key.length + (value?.length ?? 0)

  function remove(key: string): void {
    const old = values.get(key)
    if (old === undefined) return
    values.delete(key)
    characters -= sizeOf(key, old)
  }

  return {
    get: (key) => values.get(key),
    set(key, value) {
      remove(key)
      if (value !== null && value.length > VALUE_CHARACTERS_MAX) return
      values.set(key, value)
      characters += sizeOf(key, value)
      // The order is that of setting: what was written or read last is kept longest.
      for (const oldest of values.keys()) {
        if (characters <= charactersMax) break
        remove(oldest)
      }
    },
  }
}
