// A fast hash for what nobody attacks: the trace of a run, and the simulator's keyed-hash signatures.

/** Two lanes of FNV-1a with different offsets, finished like MurmurHash3. */
export interface Fingerprint {
  number(value: number): void
  bytes(value: Uint8Array): void
  text(value: string): void
  lanes(): [number, number]
}

export function createFingerprint(first = 0x811c9dc5, second = 0x1b873593): Fingerprint {
  let a = first | 0
  let b = second | 0

  function add(word: number): void {
    a = Math.imul(a ^ word, 0x01000193)
    b = Math.imul(b ^ (word + 0x9e3779b9), 0x85ebca6b)
    b ^= b >>> 13
  }

  return {
    number(value) {
      add(value | 0)
      if (value > 0x7fffffff) add(Math.floor(value / 0x100000000))
    },
    bytes(value) {
      add(value.length)
      let at = 0
      for (; at + 4 <= value.length; at += 4) {
        add(value[at]! | (value[at + 1]! << 8) | (value[at + 2]! << 16) | (value[at + 3]! << 24))
      }
      for (; at < value.length; at++) add(value[at]!)
    },
    text(value) {
      add(value.length)
      for (let at = 0; at < value.length; at++) add(value.charCodeAt(at))
    },
    lanes: () => [finish(a), finish(b)],
  }
}

function finish(lane: number): number {
  let h = lane
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}
