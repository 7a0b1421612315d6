// Latest state values in memory, for the one handle that commits: nobody else changes them, so what was read or written stays right.
//
// A contract's call reads the same few keys again and again, each block writes back what it read, and a synchronous read of LevelDB
// takes some ten times as long as one of a map.
//
// Two generations: new and used values go into the younger; once that is full it becomes the older, and the older one is dropped whole. A
// map that gives up its oldest entry at each insertion would have to step over all it gave up before.

export interface ValueCache {
  /** Null: there is no such key. Undefined: not known here. */
  get(key: string): string | null | undefined
  set(key: string, value: string | null): void
}

/** Of both generations: about 32 MiB. */
const CHARACTERS_MAX = 16 * 1024 * 1024
/** What one entry takes besides its characters. */
const ENTRY_CHARACTERS = 64
/** One large value would push out thousands of small ones. */
const VALUE_CHARACTERS_MAX = 64 * 1024

export function createValueCache(charactersMax: number = CHARACTERS_MAX): ValueCache {
  let young = new Map<string, string | null>()
  let old = new Map<string, string | null>()
  /** Of the younger. */
  let characters = 0
  const sizeOf = (key: string, value: string | null) => ENTRY_CHARACTERS + key.length + (value?.length ?? 0)

  function uncount(key: string): void {
    const value = young.get(key)
    if (value !== undefined) characters -= sizeOf(key, value)
  }

  function put(key: string, value: string | null): void {
    uncount(key)
    young.set(key, value)
    characters += sizeOf(key, value)
    if (characters <= charactersMax / 2) return
    old = young
    young = new Map()
    characters = 0
  }

  return {
    get(key) {
      const known = young.get(key)
      if (known !== undefined) return known
      const older = old.get(key)
      if (older !== undefined) put(key, older)
      return older
    },
    set(key, value) {
      if (value === null || value.length <= VALUE_CHARACTERS_MAX) return put(key, value)
      uncount(key)
      young.delete(key)
      old.delete(key)
    },
  }
}
