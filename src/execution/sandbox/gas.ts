/**
 * Gas: the engine's instructions, plus a price for what the host does for them. One unit everywhere: the prices stand for as many
 * instructions as run in the same time, at the six per nanosecond of the slowest ones (docs/benchmarks.md, "Contracts").
 */
import { meteringExports } from '../metering/index.ts'
import type { EngineExports } from './engine.ts'
import { Trap } from './trap.ts'

/** Prices in gas. */
export const price = {
  /** A call of a contract: its image is copied into an instance, byte by byte, its arguments and result carried across. */
  run: 100_000,
  imageBytesPerGas: 2,
  hostCall: 6_000,
  write: 20_000,
  /** What is written is kept by every node, and copied some four times on its way to the disk: a block writes 32 MB at most. */
  writtenByte: 100,
  scan: 20_000,
  scanEntry: 4_000,
  nestedCall: 40_000,
  /** What a node that shows logs does with a line. */
  log: 10_000,
  verify: 800_000,
  gasPerByte: 8,
} as const

export interface Meter {
  readonly used: number
  readonly remaining: number
  /** Takes gas for a host call that moves so many bytes; throws the uncatchable stop when the limit is passed. */
  charge(gas: number, bytes?: number): void
}

/** Gives the engine so much gas; it takes from it what it runs, the meter what the host does. */
export function createMeter(engine: EngineExports, limit: number): Meter {
  const gas = engine[meteringExports.gas]
  gas.value = BigInt(limit)
  const remaining = () => Number(gas.value)
  return {
    get used() {
      return limit - remaining()
    },
    get remaining() {
      return remaining()
    },
    charge(amount, bytes = 0) {
      gas.value -= BigInt(amount + price.gasPerByte * bytes)
      if (gas.value < 0n) throw new Trap('OUT_OF_GAS')
    },
  }
}
