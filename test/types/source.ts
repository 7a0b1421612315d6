// Where the values of the format tests come from: counted ones for the golden vectors, drawn ones for the properties.
import fc from 'fast-check'
import { toHex } from '../../src/types/hex.ts'

export interface Source {
  hash(): string
  uint(max?: number): number
  bytes(min: number, max: number): Uint8Array
  text(bytesMax: number): string
  flag(): boolean
  pick<T>(...values: T[]): T
  /** A list of a few items. */
  list<T>(item: () => T): T[]
}

/** Every size of an integer's head, from both sides. */
const EDGES = [0, 1, 23, 24, 255, 256, 65_535, 65_536, 4_294_967_295, 4_294_967_296, Number.MAX_SAFE_INTEGER]

/** The same values at each call of this function. */
export function countedSource(): Source {
  let count = 0
  const next = () => ++count
  return {
    hash: () => toHex(new Uint8Array(32).fill(next())),
    uint: (max = Number.MAX_SAFE_INTEGER) => Math.min(max, EDGES[next() % EDGES.length]!),
    bytes: (min, max) => new Uint8Array(Math.min(max, Math.max(min, 3))).fill(next()),
    text: () => `text ${next()}`,
    flag: () => next() % 2 === 1,
    pick: (...values) => values[next() % values.length]!,
    list: (item) => [item(), item()],
  }
}

const hashes = fc.uint8Array({ minLength: 32, maxLength: 32 })
const texts = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 10 }),
  fc.constantFrom('', '\ufeff', '\ufeffmark', '\u0000', 'é'),
)

/** Values that fast-check draws and shrinks. */
export function drawnSource(draw: fc.GeneratorValue): Source {
  return {
    hash: () => toHex(draw(() => hashes)),
    uint: (max = Number.MAX_SAFE_INTEGER) =>
      draw((most: number) => {
        const edges = EDGES.filter((edge) => edge <= most)
        return fc.oneof(fc.constantFrom(...edges, most), fc.integer({ min: 0, max: most }))
      }, max),
    bytes: (min, max) =>
      draw(
        (least: number, most: number) =>
          fc.uint8Array({ minLength: least, maxLength: Math.min(most, Math.max(least, 30)) }),
        min,
        max,
      ),
    text: () => draw(() => texts),
    flag: () => draw(fc.boolean),
    pick: (...values) => values[draw((most: number) => fc.nat({ max: most }), values.length - 1)]!,
    list: (item) => Array.from({ length: draw((most: number) => fc.nat({ max: most }), 2) }, item),
  }
}
