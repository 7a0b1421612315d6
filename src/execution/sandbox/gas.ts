/**
 * Gas: the engine's instructions, plus a price for what the host does for them. One unit everywhere: the prices stand for as many
 * instructions as run in the same time, at the six per nanosecond of the slowest ones (docs/benchmarks.md, "Contracts").
 */
import { meteringExports } from '../metering/index.ts'
import type { EngineExports } from './engine.ts'

/** Prices in gas. */
export const price = {
  /** A call of a contract: its image is copied into an instance, its arguments and result are carried across. */
  run: 50_000,
  imageBytesPerGas: 4,
  /** An image that left memory is read back from the disk, about 1 ms for the largest: whoever keeps much in memory pays for that. */
  largeImageFrom: 512 * 1024,
  largeImageByte: 5,
  hostCall: 6_000,
  /** A key may have to be fetched from the disk. */
  read: 20_000,
  /** A leaf of the state tree, with the nodes above it. */
  write: 100_000,
  emit: 20_000,
  /** What is written is kept by every node, and copied some four times on its way to the disk: a block writes 32 MB at most. */
  writtenByte: 100,
  /** Another thread walks through the keys. */
  scan: 200_000,
  scanEntry: 4_000,
  nestedCall: 30_000,
  /** What a node that shows logs does with a line. */
  log: 10_000,
  /** A forgery has to be refused by the slow reference, about 1.3 ms, and nobody knows beforehand what is one. */
  verify: 8_000_000,
  verifiedByte: 100,
  /** Bytes that cross between the host and the engine, or are hashed. */
  byte: 16,
} as const

/** What an image of so many bytes costs at each call. */
export function imageGas(bytes: number): number {
  const small = Math.min(bytes, price.largeImageFrom)
  return Math.ceil(small / price.imageBytesPerGas) + price.largeImageByte * (bytes - small)
}

export interface Meter {
  readonly used: number
  readonly remaining: number
  /** Takes gas for a host call that moves so many bytes; the engine traps when the limit is passed. */
  charge(gas: number, bytes?: number): void
}

/** Of an engine that was given so much gas: it takes from it what it runs, the meter what the host does. */
export function createMeter(engine: EngineExports, limit: number): Meter {
  const { [meteringExports.gas]: left, [meteringExports.spend]: spend } = engine
  return {
    get used() {
      return limit - left()
    },
    get remaining() {
      return left()
    },
    charge: (gas, bytes = 0) => spend(gas + price.byte * bytes),
  }
}
