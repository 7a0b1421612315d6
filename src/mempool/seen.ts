// Which wire forms have had their signature verified, by wire hash, so that gossip, resending and proposals cost one verification.
// The key covers the signature: another signature over the same transaction is another key.

export interface Seen {
  has(wireHash: string): boolean
  add(wireHash: string): void
}

/** Remembers at least the last `max` additions, at most twice as many: full, the older half is forgotten at once. */
export function createSeen(max: number): Seen {
  let current = new Set<string>()
  let previous = new Set<string>()
  return {
    has: (wireHash) => current.has(wireHash) || previous.has(wireHash),
    add(wireHash) {
      current.add(wireHash)
      if (current.size < max) return
      previous = current
      current = new Set()
    },
  }
}
