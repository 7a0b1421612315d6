/**
 * Gas: polls of the engine's interrupt handler, plus a price for each host call.
 * Without the second part a loop of host calls (10,000 of them between two polls) would be almost free; one signature check
 * costs as much time as several thousand branches.
 */
import { GAS_PER_POLL } from './limits.ts'
import { Trap } from './trap.ts'

/** Prices in gas. A plain loop takes about 8 ns per gas on the reference machine; these keep host calls to the same order. */
export const price = {
  hostCall: 300,
  write: 1_000,
  /** What is written is kept by every node, and copied some four times on its way to the disk: a block writes 64 MB at most. */
  writtenByte: 16,
  scan: 1_000,
  scanEntry: 200,
  nestedCall: 5_000,
  verify: 100_000,
  bytesPerGas: 2,
} as const

export interface Meter {
  readonly used: number
  readonly remaining: number
  poll(): void
  /** Takes gas for a host call that moves so many bytes; throws the uncatchable stop when the limit is passed. */
  charge(gas: number, bytes?: number): void
}

export function createMeter(limit: number): Meter {
  let used = 0
  const charge = (gas: number, bytes = 0) => {
    used += gas + Math.ceil(bytes / price.bytesPerGas)
    if (used > limit) throw new Trap('OUT_OF_GAS')
  }
  return {
    get used() {
      return used
    },
    get remaining() {
      return limit - used
    },
    poll: () => charge(GAS_PER_POLL),
    charge,
  }
}
