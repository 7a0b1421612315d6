/**
 * Signature checks in worker threads. Each lane (one per peer) takes turns, so a peer's flood delays nobody else's work by more
 * than the chunks already under way. A check has two stages. The fast one accepts what a native library accepts. The rest is
 * undecided and costs about a millisecond each: it runs one at a time, lane by lane, and a lane may have only a few waiting.
 */
import { isWellFormed, verifyFast, verifySlow } from './signer.ts'
import { createVerifierPool, type VerifierPool } from './verifier-pool.ts'

export interface SignedItem {
  publicKey: Uint8Array
  message: Uint8Array
  signature: Uint8Array
}

/** `refused` means the lane was over its budget: the signature was not judged, and its sender is not proven to have forged it. */
export type Verdict = 'valid' | 'invalid' | 'refused'

export interface Verifier {
  /**
   * One verdict for each item, in order. Items of a lane are subject to that lane's budget; without a lane each item is judged,
   * and the caller bounds how much it asks for. The items' bytes must not change before the answer.
   */
  judgeBatch(items: readonly SignedItem[], lane?: string): Promise<Verdict[]>
  /** As `judgeBatch`, with true for `valid` only. */
  verifyBatch(items: readonly SignedItem[], lane?: string): Promise<boolean[]>
  /** Ends the workers; what was still asked for is rejected. */
  close(): Promise<void>
}

export interface VerifierOptions {
  /** Number of worker threads; 0 checks in the calling thread, before the call returns. */
  workers: number
  /** How many undecided signatures one lane may have waiting. */
  undecidedPerLaneMax?: number
  /** How many signatures all lanes together may have waiting. */
  waitingMax?: number
}

const undecidedPerLaneDefault = 16
const waitingDefault = 65_536

/** Throws nothing for bad signatures; its promises reject only when the verifier is closed or a worker has died. */
export function createVerifier(options: VerifierOptions): Verifier {
  const { workers, undecidedPerLaneMax = undecidedPerLaneDefault, waitingMax = waitingDefault } = options
  if (!Number.isInteger(workers) || workers < 0) {
    throw new RangeError(`A verifier has a whole number of workers, 0 or more, but ${workers} came.`)
  }
  if (workers === 0) return createInlineVerifier(undecidedPerLaneMax)
  return withBooleans(createVerifierPool({ workers, undecidedPerLaneMax, waitingMax }))
}

function createInlineVerifier(undecidedPerLaneMax: number): Verifier {
  return withBooleans({
    async judgeBatch(items, lane) {
      let undecided = 0
      return items.map(({ publicKey, message, signature }) => {
        if (!isWellFormed(publicKey, signature)) return 'invalid'
        if (verifyFast(publicKey, message, signature)) return 'valid'
        undecided++
        if (lane !== undefined && undecided > undecidedPerLaneMax) return 'refused'
        return verifySlow(publicKey, message, signature) ? 'valid' : 'invalid'
      })
    },
    async close() {},
  })
}

function withBooleans(pool: VerifierPool): Verifier {
  return {
    judgeBatch: pool.judgeBatch,
    close: pool.close,
    async verifyBatch(items, lane) {
      const verdicts = await pool.judgeBatch(items, lane)
      return verdicts.map((verdict) => verdict === 'valid')
    },
  }
}
