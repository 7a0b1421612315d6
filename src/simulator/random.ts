// Randomness of the simulator: everything that happens follows from one 32-bit seed. Only integer arithmetic and division, which are
// the same on every machine (Math.log and its like need not be).

export interface Random {
  /** From 0 up to, not including, 1. */
  next(): number
  /** A whole number from 0 up to, not including, `count`. */
  below(count: number): number
  /** A whole number from `least` to `most`. */
  between(least: number, most: number): number
  chance(probability: number): boolean
  pick<T>(items: readonly T[]): T
  /** A copy in random order. */
  shuffle<T>(items: readonly T[]): T[]
}

/** Streams with different labels are independent: dropping a fault from a schedule leaves the others' randomness as it was. */
export function createRandom(seed: number, ...labels: number[]): Random {
  let mixed = seed >>> 0
  for (const label of labels) mixed = mix(mixed ^ mix(label + 0x9e3779b9))
  let a = mix(mixed + 1)
  let b = mix(mixed + 2)
  let c = mix(mixed + 3)
  let counter = 1

  /** sfc32, by Chris Doty-Humphrey: 128 bits of state, passes PractRand. */
  function next(): number {
    const sum = (((a + b) | 0) + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = ((c << 21) | (c >>> 11)) + sum
    return (sum >>> 0) / 4_294_967_296
  }
  for (let round = 0; round < 8; round++) next()

  const below = (count: number) => Math.floor(next() * count)
  return {
    next,
    below,
    between: (least, most) => least + below(most - least + 1),
    chance: (probability) => next() < probability,
    pick: (items) => items[below(items.length)]!,
    shuffle(items) {
      const shuffled = [...items]
      for (let last = shuffled.length - 1; last > 0; last--) {
        const other = below(last + 1)
        const kept = shuffled[last]!
        shuffled[last] = shuffled[other]!
        shuffled[other] = kept
      }
      return shuffled
    },
  }
}

/** The finalizer of MurmurHash3: every bit of the input reaches every bit of the output. */
function mix(value: number): number {
  let h = value | 0
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}
