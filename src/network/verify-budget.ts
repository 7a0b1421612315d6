// How much of this thread the signatures inside a validator's messages may take: a liar can put many genuine ones in, again and again.
import { createBucket } from './bucket.ts'
import type { EdgeOptions } from './edge.ts'

/** One takes about 50 µs: a liar gets a twentieth of a core. */
const SIGNATURES_PER_SECOND = 1_000
const SIGNATURES_BURST_MIN = 10_000
/** The reference takes about 2 ms for one. */
const LONG_PER_SECOND = 5
const LONG_BURST = 20

export interface VerifyBudgetOptions {
  quorum: number
  windowBlocks: number
  /** Milliseconds on a clock that never jumps. */
  now(): number
}

export function createVerifyBudget(options: VerifyBudgetOptions): Pick<EdgeOptions, 'mayTakeLong' | 'mayVerify'> {
  const { quorum, windowBlocks, now } = options
  // Room for two NEW-VIEWs, each of q VIEW-CHANGEs with a whole window prepared, no two alike.
  const burst = Math.max(SIGNATURES_BURST_MIN, 2 * quorum * (windowBlocks * quorum + 1))
  const bySigner = new Map<number, ReturnType<typeof createBucket>>()
  const takeLong = createBucket(LONG_PER_SECOND, LONG_BURST)
  return {
    mayTakeLong: () => takeLong(1, now()),
    mayVerify(signer, signatures) {
      const take = bySigner.get(signer) ?? createBucket(SIGNATURES_PER_SECOND, burst)
      bySigner.set(signer, take)
      return take(signatures, now())
    },
  }
}
