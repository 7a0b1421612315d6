// Catching up over a fake network in fake time. The chain's certificates are real: three of four validators sign each block.
import { expect, vi } from 'vitest'
import { batchDigest, blockHash } from '../../src/crypto/digest.ts'
import { FETCH_BLOCKS_MAX } from '../../src/limits.ts'
import { createSync } from '../../src/sync.ts'
import { type Batch, batchCodec, ZERO_HASH } from '../../src/types/block.ts'
import { type BlockRequest, blockAnswerCodec, blockRequestCodec, type CertifiedBlock } from '../../src/types/fetch.ts'
import { decode, encode } from '../../src/types/schema.ts'
import { certificateOf, edgeWith, headerAt } from '../network-edge/support.ts'

export const LENGTH = 150
/** Whole answers that fit in 32 MiB; what is needed next may be asked of two more peers. */
export const OPEN_MAX = 6
const { edge } = edgeWith()

export const batchAt = (height: number): Batch => ({
  view: 0,
  proposer: 'cd'.repeat(32),
  time: height,
  txs: [Uint8Array.of(height % 256)],
})
const GENESIS_BLOCK_HASH = blockHash(headerAt(0))

/** A block that a quorum signed, with the header changed as a test wants. */
function blockOn(parentHash: string, height: number, batch: Batch): CertifiedBlock {
  const header = headerAt(height, { parentHash, batchDigest: batchDigest(batch) })
  return { header, certificate: certificateOf(header, [0, 1, 2]), batch: encode(batchCodec, batch) }
}

export const NULL_HEIGHT = 10
/** Block 10 is a null block, as a view change leaves them. */
export const chain: CertifiedBlock[] = []
for (let height = 1; height <= LENGTH; height++) {
  const parent = height === 1 ? GENESIS_BLOCK_HASH : blockHash(chain.at(-1)!.header)
  chain.push(
    blockOn(
      parent,
      height,
      height === NULL_HEIGHT ? { view: 0, proposer: ZERO_HASH, time: 0, txs: [] } : batchAt(height),
    ),
  )
}
export const blocksFrom = ({ from, limit }: BlockRequest) =>
  chain.slice(from - 1, from - 1 + Math.min(limit, FETCH_BLOCKS_MAX))

export type Answer = (request: BlockRequest) => Promise<Uint8Array>
export const answerOf = (blocks: CertifiedBlock[]) => encode(blockAnswerCodec, blocks)
export const honest: Answer = async (request) => answerOf(blocksFrom(request))
export const never: Answer = () => new Promise(() => {})

export interface Peer {
  claims: number
  answer: Answer
}

/** `executing` is how long the replica takes for each call of apply. */
export function world(peers: Record<string, Peer>, start = 0, executing: () => Promise<unknown> = async () => {}) {
  const position = { h: start, lastExec: start }
  const requests: { peer: string; at: number; from: number; limit: number }[] = []
  const blamed: { peer: string; reason: string }[] = []
  const state = { stopped: false, open: 0, openMost: 0, timers: 0 }
  const reports: unknown[][] = []
  let applied: Promise<unknown> = Promise.resolve()

  async function request(peer: string, payload: Uint8Array, { timeoutMs }: { timeoutMs: number; maxBytes: number }) {
    const asked = decode(blockRequestCodec, payload)
    requests.push({ peer, at: Date.now(), ...asked })
    state.openMost = Math.max(state.openMost, ++state.open)
    try {
      const timeout = new Promise<never>((_, reject) => setTimeout(reject, timeoutMs, new Error('no answer in time')))
      const answer = new Promise((resolve) => setTimeout(resolve, 20)).then(() => peers[peer]!.answer(asked))
      return await Promise.race([answer, timeout])
    } finally {
      state.open--
    }
  }

  const sync = createSync({
    position: () => position,
    blockHashAt: async (height) =>
      height === 0
        ? GENESIS_BLOCK_HASH
        : height <= position.lastExec
          ? blockHash(chain[height - 1]!.header)
          : undefined,
    certificateFault: edge.certificateFault,
    request,
    async apply(blocks) {
      const before = applied
      applied = before.then(executing)
      await applied
      for (const block of blocks) {
        // Only the chain's very bytes, each height once and in order.
        const { height } = block.header
        if (height !== position.h + 1) throw new Error(`height ${height} after ${position.h}`)
        expect(block).toEqual(chain[height - 1])
        position.h = position.lastExec = height
      }
    },
    blame: (peer, reason) => blamed.push({ peer, reason }),
    isStopped: () => state.stopped,
    report: (progress, message) => reports.push([message, progress]),
    onError(error) {
      throw error
    },
    now: Date.now,
    after(delayMs, callback) {
      state.timers++
      const timer = setTimeout(() => {
        state.timers--
        callback()
      }, delayMs)
      return () => {
        state.timers--
        clearTimeout(timer)
      }
    },
  })

  return {
    sync,
    position,
    requests,
    blamed,
    reports,
    state,
    /** Each peer says its height once a second. */
    async run(seconds: number, isDone = () => false) {
      for (let second = 0; second < seconds && !isDone(); second++) {
        for (const [peer, { claims }] of Object.entries(peers)) sync.onPeerHeight(peer, claims)
        await vi.advanceTimersByTimeAsync(1_000)
      }
    },
    isDone: () => position.h === LENGTH,
  }
}

export const honestPeer: Peer = { claims: LENGTH, answer: honest }
