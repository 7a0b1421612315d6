// How deep a state is cut: chunks of about 128 KiB, so that one is quickly sent and quickly asked for again elsewhere. The rule knows
// nothing but the state, so every node cuts alike and the chunks of one stand in for another's. Portable.
import { CHUNK_BYTES_MAX, CHUNK_ENTRIES_MAX, SNAPSHOT_DEPTH_MAX } from '../types/snapshot.ts'
import { indexOf } from './subtree.ts'

export const CHUNK_BYTES_GOAL = 128 * 1024
/** What an entry may take beside its key and its value: an array's head and two texts'. */
const ENTRY_BYTES = 11
/** What a chunk may have beside its entries. */
const CHUNK_HEAD_BYTES = 64

export interface Cut {
  add(path: Uint8Array, keyBytes: number, valueBytes: number): void
  /** The lowest depth at which chunks are small enough: on average, and each by itself. */
  depth(): number
}

export function createCut(): Cut {
  const sizes = new Float64Array(2 ** SNAPSHOT_DEPTH_MAX)
  const counts = new Float64Array(2 ** SNAPSHOT_DEPTH_MAX)
  let total = 0

  /** The most that any subtree has at that depth. */
  function largest(parts: Float64Array, depth: number): number {
    const span = 2 ** (SNAPSHOT_DEPTH_MAX - depth)
    let most = 0
    for (let from = 0; from < parts.length; from += span) {
      const sum = parts.subarray(from, from + span).reduce((sum, part) => sum + part, 0)
      most = Math.max(most, sum)
    }
    return most
  }

  const largestBytes = (depth: number) => largest(sizes, depth) + CHUNK_HEAD_BYTES
  const fits = (depth: number) => largestBytes(depth) <= CHUNK_BYTES_MAX && largest(counts, depth) <= CHUNK_ENTRIES_MAX

  return {
    add(path, keyBytes, valueBytes) {
      const bytes = keyBytes + valueBytes + ENTRY_BYTES
      total += bytes
      const index = indexOf(path, SNAPSHOT_DEPTH_MAX)
      sizes[index]! += bytes
      counts[index]!++
    },
    depth() {
      for (let depth = 0; depth <= SNAPSHOT_DEPTH_MAX; depth++) {
        const isFine = depth === SNAPSHOT_DEPTH_MAX || total / 2 ** depth <= CHUNK_BYTES_GOAL
        if (isFine && fits(depth)) return depth
      }
      throw new Error(
        `A part of the state has ${largestBytes(SNAPSHOT_DEPTH_MAX)} bytes in ${largest(counts, SNAPSHOT_DEPTH_MAX)} entries, more than the ${CHUNK_BYTES_MAX} or the ${CHUNK_ENTRIES_MAX} that a chunk may have; no snapshot can be made of it.`,
      )
    },
  }
}
